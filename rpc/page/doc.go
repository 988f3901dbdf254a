// Package page renders the web page: it makes HTML from its arguments, and asks for nothing
// else. Package rpc serves it, with the limits and the checks of every request.
//
// # What is rendered where
//
// Everything is rendered here, on the server, by html/template, which escapes by context,
// except the lines of the table, of which there may be thousands (line.go); the pages work
// without JavaScript. The script (rpc/ui/page.js) renders nothing itself but the lines of a
// log: it asks for the page again, or is sent rows of the table, and replaces what changed.
// There is no inline script and no inline style, so that the Content-Security-Policy forbids
// both.
//
// Each line of the table is laid out as a grid of its own and, with content-visibility, only
// where it is seen; to screen readers they are rows of one table all the same. A line says
// nothing twice: the script reads from its cells what it sorts by.
//
// # Addresses
//
// All links are relative, so that a proxy may serve the page under any path:
//
//	./                      the overview: state=, q= and sort= choose, where there is no script
//	process?name=N          a process; stream= and q= choose what of its log is shown
//	files                   the reconciler: state, difference, files, history
//	listeners               the event listeners
//	act                     POST: do= is what to do, confirm= says that it was confirmed
//	live?page=P             server-sent events; of a process also name=, stream= and from=OFFSET
//	log?name=N&stream=S     a log as text: a download, or from=OFFSET, which follows it
//
// # Live
//
// A stream has these events: rows are the rows of the table that changed, as HTML; figures
// are what processes use, as texts and paths of graphs; parts are the summary line and the
// counts of states; log is what is appended to the log that is shown; reload says that what
// the page shows has changed in another way; beat, every ten seconds, says nothing else than
// that the daemon is there. After two and a half of them the script takes the connection for
// lost, and no time counts on. The script counts elapsed times, so that nothing but resource
// figures is sent while nothing happens.
//
// # What is done
//
// A page acts on what it shows. Its form for an update has the name of the plan that stands
// there, and another plan is refused. Where a filter leaves some processes and none is selected,
// an action is about those.
package page
