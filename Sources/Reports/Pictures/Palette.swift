import Volumes

/// The colors of the picture beside those of structures.
enum Palette {
    static let background = LabelColor(red: 18, green: 20, blue: 24)
    static let title = LabelColor(red: 240, green: 242, blue: 245)
    static let text = LabelColor(red: 208, green: 212, blue: 218)
    static let caption = LabelColor(red: 138, green: 146, blue: 158)
    static let absent = LabelColor(red: 92, green: 98, blue: 108)
    static let warning = LabelColor(red: 255, green: 176, blue: 64)
}
