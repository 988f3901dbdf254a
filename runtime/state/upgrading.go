package state

// Upgrading is what a request is told that an upgrade in place has no time for: the text of
// the fault FAILED, by which clients know that it can be made again.
const Upgrading = "supervisord is being upgraded: ask again"
