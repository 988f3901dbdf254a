package state

// Level is a level of the activity log: its name in the configuration, and the one
// in the lines.
type Level struct{ Name, Line string }

// Levels are Supervisor's, from the most severe.
//
// Source: contract/config.md sections 4 and 11.
var Levels = [...]Level{
	{"critical", "CRIT"},
	{"error", "ERRO"},
	{"warn", "WARN"},
	{"info", "INFO"},
	{"debug", "DEBG"},
	{"trace", "TRAC"},
	{"blather", "BLAT"},
}
