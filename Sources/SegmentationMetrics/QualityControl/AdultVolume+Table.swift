// Written by fixtures/generators/generate_adult_volumes.py, which names the source.

extension AdultVolume {
    /// The number of adults that the table was made from.
    public static let adultCount = 35

    /// The smallest and largest volume of all structures together among these adults, in mm³.
    public static let totalRangeCubicMillimeters = 867303.0...1528273.0

    /// The structures by ascending FreeSurfer id.
    ///
    /// Source: 15 manually labelled brains of the Multi-Atlas Labelling Challenge (ages 19 to 34) and
    /// 20 label maps of adults of SynthSeg (<https://github.com/BBillot/SynthSeg>).
    public static let all: [AdultVolume] = [
        adult("Left-Cerebral-White-Matter", -1.6986, 0.0651, 0.162, 0.203),
        adult("Left-Cerebral-Cortex", -1.5455, 0.1056, 0.175, 0.249),
        adult("Left-Lateral-Ventricle", -4.6865, 0.8147, 0.00263, 0.0415),
        adult("Left-Cerebellum-White-Matter", -4.4001, 0.1210, 0.00985, 0.0169),
        adult("Left-Cerebellum-Cortex", -3.1224, 0.1018, 0.0357, 0.0547),
        adult("Left-Thalamus", -5.0366, 0.0884, 0.00529, 0.00745),
        adult("Left-Caudate", -5.8301, 0.1383, 0.00225, 0.00386),
        adult("Left-Putamen", -5.4811, 0.1338, 0.00331, 0.006),
        adult("Left-Pallidum", -6.7347, 0.1832, 0.000665, 0.00165),
        adult("3rd-Ventricle", -7.1067, 0.7306, 0.000249, 0.00309),
        adult("4th-Ventricle", -6.5462, 0.3521, 0.000696, 0.00275),
        adult("Brain-Stem", -4.0899, 0.1682, 0.0127, 0.0236),
        adult("Left-Hippocampus", -5.8534, 0.2405, 0.00111, 0.00414),
        adult("Left-Amygdala", -6.9265, 0.3425, 0.000533, 0.00174),
        adult("Left-VentralDC", -5.6050, 0.0947, 0.00318, 0.00438),
        adult("Right-Cerebral-White-Matter", -1.6880, 0.0647, 0.161, 0.204),
        adult("Right-Cerebral-Cortex", -1.5505, 0.1108, 0.166, 0.255),
        adult("Right-Lateral-Ventricle", -4.7473, 0.8602, 0.002, 0.0448),
        adult("Right-Cerebellum-White-Matter", -4.4056, 0.1290, 0.01, 0.0177),
        adult("Right-Cerebellum-Cortex", -3.1060, 0.1105, 0.0354, 0.0555),
        adult("Right-Thalamus", -5.0927, 0.0652, 0.00535, 0.00691),
        adult("Right-Caudate", -5.8028, 0.1411, 0.00221, 0.00401),
        adult("Right-Putamen", -5.5188, 0.1393, 0.00318, 0.00554),
        adult("Right-Pallidum", -6.6902, 0.1330, 0.00085, 0.00157),
        adult("Right-Hippocampus", -5.8047, 0.2081, 0.0016, 0.00432),
        adult("Right-Amygdala", -6.8817, 0.3136, 0.000655, 0.00165),
        adult("Right-VentralDC", -5.6186, 0.0764, 0.00313, 0.00412),
    ]

    private static func adult(
        _ name: String, _ meanLogarithm: Double, _ deviation: Double, _ lowest: Double,
        _ highest: Double
    ) -> AdultVolume {
        AdultVolume(
            name: name, meanLogarithm: meanLogarithm, standardDeviation: deviation,
            shareRange: lowest...highest)
    }
}
