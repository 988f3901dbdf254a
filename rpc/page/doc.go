// Package page draws the web page: it makes HTML of what is handed in, and asks nobody.
// Package rpc serves it, with the limits and the checks of every request.
//
// # What is drawn where
//
// Everything is drawn here, on the server, by html/template, which escapes by context, but for
// the lines of the table, of which there may be thousands (line.go); the
// pages work without JavaScript. The script (rpc/ui/page.js) draws nothing of its own but
// the lines of a log: it asks for the page again, or is sent rows of the table, and puts
// what changed in the place of what was there. There is no inline script and no inline
// style, so that the Content-Security-Policy forbids both.
//
// Each line of the table is laid out as a grid of its own and, with content-visibility, only
// where it is seen; to screen readers they are rows of one table all the same. A line says
// nothing twice: the script reads from its cells what it sorts by.
//
// # Addresses
//
// All links are relative, so that a proxy may have the page under any path:
//
//	./                      the overview: state=, q= and sort= choose, for those without script
//	process?name=N          a process; stream= and q= choose what of its log is shown
//	files                   the reconciler: state, difference, files, history
//	listeners               the event listeners
//	act                     POST: do= is what to do, confirm= that it was asked about
//	live?page=P             server-sent events
//	log?name=N&stream=S     a log as text: a download, or from=OFFSET, which follows it
//
// # Live
//
// A stream has these events: rows are the rows of the table that changed, as HTML; figures
// are what processes take, as texts and paths of graphs; parts are the line that says how
// things are and the counts of states; reload says that what the page shows has changed in
// another way. Times since are counted by the script, so that nothing is sent while nothing
// happens but what processes take.
package page
