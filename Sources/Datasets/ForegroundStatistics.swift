/// Mean, standard deviation and range of the pixels that are not 0.
struct ForegroundStatistics {
    let mean: Float
    let deviation: Float
    let minimum: Float
    let maximum: Float

    /// Measures an image; `nil` where all of it is background.
    init?(of image: [Float]) {
        var count = 0
        var sum = 0.0
        var squares = 0.0
        var lowest = Float.infinity
        var highest = -Float.infinity
        image.withUnsafeBufferPointer { image in
            for value in image where value != 0 {
                count += 1
                sum += Double(value)
                squares += Double(value) * Double(value)
                lowest = min(lowest, value)
                highest = max(highest, value)
            }
        }
        guard count > 0 else { return nil }
        let center = sum / Double(count)
        mean = Float(center)
        deviation = Float(max(0, squares / Double(count) - center * center).squareRoot())
        minimum = lowest
        maximum = highest
    }
}
