/// A finding of a search.
enum Finding {
    case scan(ScanFile)
    /// A folder of DICOM files whose series are not known yet, and its name below the input.
    case dicomFolder(path: String, relative: String)
}
