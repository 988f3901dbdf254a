package state

// EventType is a type of event, by name, and the type above it. A listener that
// asks for a type gets everything below it.
type EventType struct{ Name, Parent string } // a root is its own parent

// EventTypes are the types that events= may name. RECONCILE and what is below it
// are ours, and no children of EVENT, so that a listener written for Supervisor
// never meets one.
//
// Source: contract/events.md section 1; reconciler.md, Seeing it.
var EventTypes = [...]EventType{
	{"EVENT", "EVENT"},
	{"PROCESS_STATE", "EVENT"},
	{"PROCESS_STATE_STARTING", "PROCESS_STATE"},
	{"PROCESS_STATE_RUNNING", "PROCESS_STATE"},
	{"PROCESS_STATE_BACKOFF", "PROCESS_STATE"},
	{"PROCESS_STATE_STOPPING", "PROCESS_STATE"},
	{"PROCESS_STATE_EXITED", "PROCESS_STATE"},
	{"PROCESS_STATE_STOPPED", "PROCESS_STATE"},
	{"PROCESS_STATE_FATAL", "PROCESS_STATE"},
	{"PROCESS_STATE_UNKNOWN", "PROCESS_STATE"},
	{"REMOTE_COMMUNICATION", "EVENT"},
	{"PROCESS_LOG", "EVENT"},
	{"PROCESS_LOG_STDOUT", "PROCESS_LOG"},
	{"PROCESS_LOG_STDERR", "PROCESS_LOG"},
	{"PROCESS_COMMUNICATION", "EVENT"},
	{"PROCESS_COMMUNICATION_STDOUT", "PROCESS_COMMUNICATION"},
	{"PROCESS_COMMUNICATION_STDERR", "PROCESS_COMMUNICATION"},
	{"SUPERVISOR_STATE_CHANGE", "EVENT"},
	{"SUPERVISOR_STATE_CHANGE_RUNNING", "SUPERVISOR_STATE_CHANGE"},
	{"SUPERVISOR_STATE_CHANGE_STOPPING", "SUPERVISOR_STATE_CHANGE"},
	{"TICK", "EVENT"},
	{"TICK_5", "TICK"},
	{"TICK_60", "TICK"},
	{"TICK_3600", "TICK"},
	{"PROCESS_GROUP", "EVENT"},
	{"PROCESS_GROUP_ADDED", "PROCESS_GROUP"},
	{"PROCESS_GROUP_REMOVED", "PROCESS_GROUP"},
	{"RECONCILE", "RECONCILE"},
	{"RECONCILE_APPLIED", "RECONCILE"},
	{"RECONCILE_FAILED", "RECONCILE"},
	{"RECONCILE_HELD", "RECONCILE"},
	{"RECONCILE_REJECTED", "RECONCILE"},
	{"RECONCILE_REVERTED", "RECONCILE"},
}
