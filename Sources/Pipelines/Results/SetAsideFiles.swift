/// Returns whether a volume's name is one under which a changed file is kept.
func isSetAside(_ name: String) -> Bool { name.contains(/\.edited-[0-9]+$/) }
