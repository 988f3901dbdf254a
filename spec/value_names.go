package spec

import "supervisord/spec/value"

// What other packages still call by its former name.
var (
	PyRepr          = value.PyRepr
	ParseInt        = value.ParseInt
	ParseOctal      = value.ParseOctal
	ParseBytes      = value.ParseBytes
	ParseSignal     = value.ParseSignal
	ParseLogLevel   = value.ParseLogLevel
	Split           = value.Split
	ExistingDir     = value.ExistingDir
	ExistingDirPath = value.ExistingDirPath
)
