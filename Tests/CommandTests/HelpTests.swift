import Testing

/// The texts that the commands show on request.
@Suite struct `Help` {
    @Test func `segment-brain tells its arguments, outputs, options and exit statuses`() throws {
        let result = try run("segment-brain", ["--help"])
        #expect(result.status == 0)
        #expect(result.errors.isEmpty)
        #expect(
            result.output == """
                OVERVIEW: Segments scans: labels, structure volumes and a picture for each of
                them.

                For scan NAME.nii.gz the output folder gets NAME_dseg.nii.gz (labels),
                NAME_dseg.tsv (their names), NAME_volumes.tsv, NAME.stats (in FreeSurfer's
                form), NAME_qc.png (look at it!) and NAME_dseg.json (provenance); for the run
                report.html, volumes.tsv, qc.tsv (unusual volumes, asymmetry, fragments; the
                most suspicious scan first), failures.tsv and run.json.
                Scans that are done are left out, so that a run that was stopped goes on when
                it is started again. A label map that you have corrected is kept and measured
                anew.
                The ledger (ledger.sqlite) records it all; 'sliceseg status <output>' shows it.

                EXAMPLES
                  segment-brain scans/ segmentations/
                  segment-brain t1.nii.gz t2.mgz out --planes coronal --precision fp32
                  segment-brain cases.txt out --reference manual/ --json
                  segment-brain bids/ bids/derivatives/sliceseg --participant-label 01 02
                  segment-brain cases.txt out --shard 2/8   # then: sliceseg merge out

                EXIT STATUS
                  0 all scans are done, 1 some failed (see failures.tsv), 2 the command line is
                  wrong, 130 interrupted (143 by SIGTERM, 129 by SIGHUP).

                USAGE: segment-brain <input> ... <output> [<options>]

                ARGUMENTS:
                  <input ... output>      Scans (.nii, .nii.gz, .mgz, .mgh, .hdr), folders that
                                          are searched with their subfolders (also for DICOM
                                          series, which dcm2niix reads), BIDS datasets, or a
                                          .txt list with a path a line; then the output folder.

                OPTIONS:
                  --model <name|dir>      A shipped model's name or a model's folder. (default:
                                          brain-any)
                  --planes <planes>       The planes to use, such as coronal,axial; all that
                                          the model has by default.
                  --device <device>       auto, cpu, cuda or cuda:1. (default: auto)
                  --precision <precision> auto, bf16, fp32 or int8. (default: auto)
                  --threads <n>           Threads of the networks; all cores by default.
                  --batch-size <n>        Slices that are computed at once.
                  --volume <n>            Which volume of 4-D scans to segment, counted from 0
                                          as in fslroi.
                  --interpolation <name>  linear or cubic: how scans are resampled to the
                                          model's grid; as the model's card says by default.
                  --space <grid>          native, or conformed to write the labels and the scan
                                          on the model's grid, too. (default: native)
                  --probabilities         Write the probabilities of all classes, a 4-D
                                          NAME_probseg.nii.gz.
                  --tta <name>            flip: compute each scan's mirror image too and join
                                          the votes; twice the time.
                  --uncertainty <samples> Draw samples with dropout: NAME_entropy.nii.gz, and
                                          NAME_uncertainty.tsv with the spread of each
                                          structure. For models that were trained with dropout.
                  --seed <n>              The seed of those samples. (default: 0)
                  --overwrite             Segment finished scans again; a label map that was
                                          changed is moved aside first.
                  --retry-failed          Segment only scans that failed in an earlier run.
                  --verify                Read every file to tell what is done, even where its
                                          size and time are the same.
                  --shard <i/n>           Only this part of the scans, such as 2/8; auto in an
                                          array job of Slurm or Grid Engine. 'sliceseg merge'
                                          joins the parts.
                  --participant-label <label>
                                          Only these participants of a BIDS dataset, with or
                                          without 'sub-'.
                  --reference <dir>       Reference label maps: measures each structure and
                                          writes metrics.tsv and what else 'sliceseg evaluate'
                                          does.
                  --profile               Show how long each stage of a scan took.
                  --quiet                 Show failures only.
                  --json                  Write one JSON object a scan to the standard output.
                  --version               Show the version.
                  -h, --help              Show help information.

                """)
    }

    @Test func `sliceseg tells its subcommands, also when it is called without one`() throws {
        let text = """
            OVERVIEW: Trains, measures and inspects slice-wise segmentation models.

            To segment scans, use segment-brain.

            EXAMPLE
              sliceseg evaluate --prediction out --reference manual --output scores

            USAGE: sliceseg <subcommand>

            OPTIONS:
              --version               Show the version.
              -h, --help              Show help information.

            SUBCOMMANDS:
              run                     Runs a job file: phantoms, segmentation, evaluation.
              status                  Shows the state of a run: done, failed, running, left.
              merge                   Joins the shards of a run: one ledger, the tables,
                                      the report.
              evaluate                Measures label maps against references.
              strip                   Finds the brain in scans: its mask, and the scan
                                      without skull.
              train                   Trains a model by a configuration and writes it as a
                                      bundle.
              calibrate               Prepares a model for --precision int8 on a few scans.
              describe                Tells the layers, shapes and parameters of a model or
                                      an architecture.
              models                  Lists the shipped models with licence and accuracy.
              import                  Makes a model of the weights of another program.
              export                  Writes a model's networks for other programs.
              phantom                 Writes synthetic heads with labels, in varied
                                      orientations and contrasts.
              synthesize              Writes scans as a training synthesises them from
                                      label maps, with labels.
              info                    Tells size, spacing, affine, orientation, datatype
                                      and range of volumes.
              verify                  Tells whether two volumes lie on the same grid.
              benchmark               Measures slices per second of a model, by precision
                                      and threads.

              See 'sliceseg help <subcommand>' for detailed help.

            """
        for arguments in [["--help"], []] {
            let result = try run("sliceseg", arguments)
            #expect(result.status == 0)
            #expect(result.output == text)
        }
    }

    @Test(
        arguments: [
            "run", "status", "merge", "evaluate", "train", "calibrate", "describe", "models",
            "import", "export", "phantom", "info", "verify", "benchmark",
        ])
    func `each subcommand has an example`(name: String) throws {
        let result = try run("sliceseg", [name, "--help"])
        #expect(result.status == 0)
        #expect(result.output.contains("EXAMPLE"))
        #expect(result.output.contains("\n  sliceseg \(name)"))
        #expect(result.output.contains("USAGE: sliceseg \(name)"))
    }

    @Test(arguments: ["segment-brain", "sliceseg"])
    func `both programs tell the same version`(program: String) throws {
        let result = try run(program, ["--version"])
        #expect(result.status == 0)
        #expect(result.output == "0.1.0\n")
    }
}
