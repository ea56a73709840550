import Foundation
import Pipelines
import Testing

/// The texts that the commands show on request.
@Suite struct `Help` {
    @Test func `segment-brain tells its arguments, outputs, options and exit statuses`() throws {
        let result = try run("segment-brain", ["--help"])
        #expect(result.status == 0)
        #expect(result.errors.isEmpty)
        #expect(
            result.output == """
                OVERVIEW: Segments brain scans: a label map, structure volumes and a picture
                for each.

                For each scan NAME.nii.gz, the output folder receives NAME_dseg.nii.gz (label
                map), NAME_dseg.tsv (label names), NAME_volumes.tsv, NAME.stats (FreeSurfer's
                format), NAME_qc.png (look at it!) and NAME_dseg.json (provenance); for the
                run, report.html, volumes.tsv, qc.tsv (unusual volumes, asymmetry, fragments;
                most suspicious scan first), failures.tsv and run.json.
                Finished scans are skipped, so an interrupted run resumes when it is started
                again. A label map that you have corrected is kept, and its volumes are
                measured again. The ledger (ledger.sqlite) records every scan; 'sliceseg status
                <output>' shows it.

                EXAMPLES
                  segment-brain scans/ segmentations/
                  segment-brain t1.nii.gz t2.mgz out --planes coronal --precision fp32
                  segment-brain cases.txt out --reference manual/ --json
                  segment-brain bids/ bids/derivatives/sliceseg --participant-label 01 02
                  segment-brain cases.txt out --shard 2/8   # then: sliceseg merge out
                  segment-brain bids/ out participant --participant-label 01   # a BIDS App
                  segment-brain bids/ out group

                EXIT STATUS
                  0 all scans done, 1 some scans failed (see failures.tsv), 2 usage error,
                  130 interrupted (143 by SIGTERM, 129 by SIGHUP). As a BIDS App: 1 if no scan
                  is done, 3 if some are.

                USAGE: segment-brain <input> ... <output> [<options>]
                       segment-brain <bids_dir> <output_dir> participant|group [<options>]

                ARGUMENTS:
                  <input ... output>      Scans (.nii, .nii.gz, .mgz, .mgh, .hdr), folders
                                          (searched recursively, also for DICOM series, which
                                          dcm2niix converts), BIDS datasets, or a .txt list
                                          with one path per line; then the output folder.

                OPTIONS:
                  --model <name|dir>      The name of a shipped model, or a model folder.
                                          (default: brain-any)
                  --planes <planes>       The planes to use, such as coronal,axial (default:
                                          all planes of the model).
                  --device <device>       auto, cpu, cuda or cuda:1. (default: auto)
                  --precision <precision> auto, bf16, fp32 or int8. (default: auto)
                  --threads <n>           Number of threads (default: all cores).
                  --batch-size <n>        Number of slices per batch.
                  --max-memory <size>     Memory that scans may take beside the model; if it is
                                          short, fewer slices are computed at once, and a scan
                                          that cannot fit fails. (default: 1.5G)
                  --volume <n>            Index of the volume to segment in 4-D scans, from 0
                                          as in fslroi.
                  --interpolation <name>  linear or cubic: interpolation for resampling scans
                                          to the model's grid (default: the model card's).
                  --space <grid>          native, or conformed to also write the labels and the
                                          scan on the model's grid. (default: native)
                  --probabilities         Write the class probabilities as a 4-D volume,
                                          NAME_probseg.nii.gz.
                  --tta <name>            flip: also segment each scan's mirror image and
                                          average the probabilities; takes twice as long.
                  --uncertainty <samples> Number of Monte Carlo dropout samples: writes
                                          NAME_entropy.nii.gz, and NAME_uncertainty.tsv with
                                          each structure's variation. Only for models trained
                                          with dropout.
                  --seed <n>              Random seed of the dropout samples. (default: 0)
                  --overwrite             Re-segment finished scans; edited label maps are
                                          renamed, not overwritten.
                  --retry-failed          Segment only the scans that failed in an earlier run.
                  --verify                Compare file contents, not sizes and times, to decide
                                          which scans are done.
                  --check/--no-check      Look at scans of heads first, and warn where a header
                                          seems wrong. (default: --check)
                  --shard <i/n>           Segment one shard of the scans, such as 2/8; auto in
                                          a Slurm or Grid Engine array job. 'sliceseg merge'
                                          joins the shards.
                  --participant-label, --participant_label <label>
                                          Only these participants of a BIDS dataset, with or
                                          without 'sub-'.
                  --session-label, --session_label <label>
                                          Only these sessions of a BIDS dataset, with or
                                          without 'ses-'.
                  --bids-filter-file, --bids_filter_file <file>
                                          A JSON file whose 'session' entries select sessions,
                                          as BABS writes it.
                  --derivatives-for <tool>
                                          fmriprep: also write what fMRIPrep reads with
                                          --derivatives: the scan, its brain mask, tissues and
                                          their probabilities. For BIDS datasets.
                  -w, --work-dir, --work_dir <dir>
                                          Folder of temporary files; unfinished results stay
                                          below the output.
                  --n_cpus, --n-cpus, --nthreads <n>
                                          The same as --threads.
                  --mem-mb, --mem_mb <n>  Memory of the whole process in MB, the model
                                          included; in place of --max-memory.
                  --skip-bids-validation, --skip_bids_validation
                                          Accepted and without effect: a dataset is read as far
                                          as its scans need it.
                  --series <series>       Only this DICOM series: its number, or part of its
                                          description; repeatable. By default all series except
                                          localizers and derived images.
                  --allow-gaps            Also segment DICOM series with missing slices; their
                                          results are marked.
                  --reference <dir>       Reference label maps to evaluate against; writes the
                                          files of 'sliceseg evaluate'.
                  --profile               Show the time spent in each stage.
                  --quiet                 Print failures only.
                  --json                  Write one JSON object per scan to standard output.
                  --log-format <format>   text, or json: one JSON object per event on standard
                                          error. (default: text)
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
              status                  Shows the state of a run: scans done, failed, running
                                      and pending.
              merge                   Merges the shards of a run into one ledger, its
                                      tables and its report.
              check                   Checks what scans show: their contrast, and whether
                                      the head lies as the header says.
              evaluate                Evaluates label maps against reference label maps.
              strip                   Skull-strips scans: a brain mask, and the scan
                                      without its skull.
              train                   Trains a model from a configuration and writes it as
                                      a bundle.
              calibrate               Calibrates a model for --precision int8 on a few
                                      scans.
              describe                Describes the layers, shapes and parameters of a
                                      model or an architecture.
              models                  Lists the shipped models with their licence and
                                      accuracy.
              import                  Imports weights of another program as a model.
              export                  Exports a model's networks for other programs.
              phantom                 Writes synthetic heads with labels, in varied
                                      orientations and contrasts.
              synthesize              Writes the scans that a training synthesises from
                                      label maps, with labels.
              info                    Prints size, spacing, affine, orientation, datatype
                                      and range of volumes.
              verify                  Checks whether two volumes are on the same grid.
              benchmark               Measures a model's slices per second, by precision
                                      and thread count.

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
            "import", "export", "phantom", "check", "info", "verify", "benchmark",
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
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines.first == "\(program) \(softwareVersion)")
        let names = lines.dropFirst().map { $0.prefix { $0 != ":" } }
        #expect(names == ["build", "processor", "engine", "LibTorch"])
        #expect(lines.contains("engine: compiled plans"))
    }

    @Test func `changelog and descriptions for other tools tell the version`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        func text(_ path: String) throws -> String {
            try String(contentsOf: root.appending(path: path), encoding: .utf8)
        }
        let changes = try text("CHANGELOG.md").split(separator: "\n").filter {
            $0.hasPrefix("## [") && !$0.hasPrefix("## [Unreleased]")
        }
        #expect(changes.first?.hasPrefix("## [\(softwareVersion)] - ") == true)
        #expect(
            try text("pipelines/bids-app/nipoppy/segment-brain.boutiques.json")
                .contains(#""tool-version": "\#(softwareVersion)""#))
        #expect(
            try text("pipelines/bids-app/nipoppy/config.json")
                .contains(#""VERSION": "\#(softwareVersion)""#))
    }
}
