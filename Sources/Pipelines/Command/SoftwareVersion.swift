/// The version of this program, as outputs record it.
public let softwareVersion = "0.1.0"
