// Package oracle runs one table on two subjects: our binaries and Debian's
// Supervisor, whose behaviour ours must match. Only tests import it.
//
// A Daemon is one supervisord of either Kind, driven by either Kind of
// supervisorctl or by a small XML-RPC client that shares no code with ours. A
// Row is a script of steps; Run plays it on every pairing of client and daemon
// and compares each transcript with a golden file that the pairing of both
// originals wrote. Normaliser takes what must differ between two runs (pids,
// times, directories) out of a text and leaves order and counts alone.
//
// A test package that uses it has
//
//	func TestMain(m *testing.M) { os.Exit(oracle.Main(m)) }
//
// so that binaries built for one test serve all of them. Where Debian's package
// is missing only our own pairing runs, unless REQUIRE_SUPERVISOR=1 is set,
// which makes that a failure. `go test -update` rewrites the golden files.
package oracle
