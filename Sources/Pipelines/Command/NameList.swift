/// Names with commas between, the first of them where there are many.
func listed(_ names: [String], atMost limit: Int) -> String {
    let more = names.count > limit ? " and \(names.count - limit) more" : ""
    return names.prefix(limit).joined(separator: ", ") + more
}
