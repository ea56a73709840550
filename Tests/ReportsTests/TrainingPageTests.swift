import Reports
import Testing
import Volumes

struct TrainingPageTests {
    private static func page() throws -> TrainingPage {
        let table = try #require(
            LabelTable([
                Structure(
                    index: 4, name: "Left-<script>", color: LabelColor(red: 200, green: 0, blue: 0)),
                Structure(index: 9, name: "Pons", color: LabelColor(red: 0, green: 200, blue: 0)),
            ]))
        let rows = (1...4).map { step in
            TrainingPage.Row(
                step: Double(step * 20), loss: 1 / Double(step), learningRate: 0.004,
                slicesPerSecond: 9.5, validation: step == 4 ? 0.8125 : nil)
        }
        let grid = Grid(
            size: GridSize(20, 30, 24),
            affine: Affine(spacing: SIMD3(1, 1, 1)))
        let voxels = (0..<20 * 30 * 24).map { Float($0 % 97) }
        let labels = (0..<20 * 30 * 24).map { UInt16($0 % 20 < 10 ? 4 : 9) }
        let slice = SliceComparison(
            scan: Volume(grid: grid, voxels: voxels),
            prediction: LabelMap(grid: grid, labels: labels),
            reference: LabelMap(grid: grid, labels: labels.map { 13 - $0 }), table: table,
            plane: .coronal, index: 12, caption: "case <b>, coronal 13: Dice 0.000")
        return TrainingPage(
            title: "Training of <i>", lead: "A lead.",
            networks: [
                .init(name: "coronal", rows: rows), .init(name: "axial", rows: []),
            ],
            table: table,
            accuracy: [.init(name: "coronal", mean: 0.75, perStructure: [0.65, nil])],
            worst: [slice], facts: [("Seed", "7 & 8")], configuration: "name: <x>\nsteps: 3")
    }

    @Test func `names and configuration are text, whatever they hold`() throws {
        let html = try Self.page().html()
        #expect(!html.contains("<script"))
        #expect(html.contains("Left-&lt;script&gt;"))
        #expect(html.contains("Training of &lt;i&gt;"))
        #expect(html.contains("case &lt;b&gt;, coronal 13"))
        #expect(html.contains("name: &lt;x&gt;\nsteps: 3"))
        #expect(html.contains("7 &amp; 8"))
    }

    @Test func `figures are those of the log, and low ones are marked`() throws {
        let html = try Self.page().html()
        #expect(html.contains("coronal: 0.8125 at 80"))
        #expect(html.contains("<span class=\"flag\">0.650</span>"))
        #expect(html.contains("<b>0.750</b>"))
        #expect(html.contains("–</td>"))
        // Loss, Dice, rate and speed of the network that has a log.
        #expect(html.matches(of: /<figure class="chart">/).count == 4)
    }

    @Test func `a loss that halves falls by equal steps on its logarithmic axis`() throws {
        let rows = [1.0, 0.5, 0.25].enumerated().map {
            TrainingPage.Row(
                step: Double($0 + 1), loss: $1, learningRate: 1, slicesPerSecond: 1,
                validation: nil)
        }
        var page = try Self.page()
        page.networks = [.init(name: "axial", rows: rows)]
        let html = try page.html()
        let path = try #require(html.firstMatch(of: /<path class="series s0" d="M([^"]*L[^"]*)"/))
        let heights = path.1.split(separator: "L").compactMap {
            $0.split(separator: " ").last.flatMap { Double($0) }
        }
        #expect(heights.count == 3)
        #expect(abs((heights[1] - heights[0]) - (heights[2] - heights[1])) < 0.11)
        #expect(heights[1] > heights[0])
    }

    @Test func `the three pictures of a slice differ where scan, prediction and reference do`()
        throws
    {
        let picture = try Self.page().worst[0].picture
        let third = (picture.width - 12) / 3
        let (x, y) = (third / 4, picture.height / 2)
        let pixels = (0..<3).map { picture[x + $0 * (third + 6), y] }
        #expect(Set(pixels).count == 3)
        // The scan alone is gray; label 9 is green, 4 red.
        #expect(pixels[0].red == pixels[0].green && pixels[0].green == pixels[0].blue)
        #expect((pixels[1].red > pixels[1].green) != (pixels[2].red > pixels[2].green))
    }
}
