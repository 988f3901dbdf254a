// Package rpc is everything on a socket: the HTTP servers of the configuration
// with the XML-RPC interface, the log streams, the status page and the metrics.
//
// # What happens to a request
//
// Each [inet_http_server] and [unix_http_server] section is one httpServer with its
// own listener, connections and credentials. A request passes, in this order: the
// limit of connections, the password, the Host check of loopback listeners, the
// cross-origin check of everything that may change something, the checks of its
// body; then it is routed as Supervisor routes, by the beginning of its path.
//
// An XML-RPC call is decoded, looked up by its full name in one table of methods,
// and run in the goroutine of its request. A method asks the process table (iface.go)
// and waits with the request's context. A client that hangs up ends its wait, never
// the operation. Refusals come back as *runtime.Error; fault.go is the one table
// that makes fault codes of them.
//
// # Who may ask
//
// A server without username asks for no password, as in Supervisor. On a listener
// that only this machine can reach such a server answers only to an address or to
// one of the machine's own names in the Host header, so that a web page cannot
// reach it under a name of its own. These names are localhost and what ends in
// .localhost, the host name, and what the hosts file gives to loopback addresses,
// read once; DNS is never asked, for whoever answers there may lie. A host in the
// request line must be that of the header. Behind a password a browser that was
// lured so has none to send, and a reverse proxy may pass its own Host on.
//
// There, and on unix sockets, where Host means nothing, a request of HTTP/1.1 may
// have no Host, or one that is none, as several clients send it (framing.go). TLS
// is our own, and no such client speaks it.
//
// POST requests that a browser sends for a page of another origin are refused, and
// so are those that it sends for a page it does not name: with an empty Origin, or
// with any mark of a browser, a type that forms can send, and no Origin, Fetch
// metadata, or Referer of ours. Calls of a type that forms can send, or of none, are
// refused together with any mark of a browser; otherwise their Content-Type is not
// looked at, as Supervisor does not. Programs bear no such mark. What clients send:
// Python's xmlrpc.client, Supervisor's own client, Go's kolo/xmlrpc and Node's
// xmlrpc say text/xml; curl --data says application/x-www-form-urlencoded; scripts
// with nc say nothing, in HTTP/1.0, without Host; all pass.
//
// The connection is closed after a request with a Transfer-Encoding, with several
// lengths or with folded lines: others may see the end of it elsewhere.
//
// # The status page
//
// On Supervisor's page only POST changes anything, and the answer is 303 to the page with its message.
// Supervisor acts on GET too and answers 301 (contract/differences.md row 58, left
// to us). A GET of one of its action links, from a bookmark or another page, shows
// a question and a button; nothing happens before that is pressed. Where nobody sees
// the page, with neither text/html in Accept nor Sec-Fetch-Mode, its status is 405.
//
// Our own page has its place at / for whoever names text/html in Accept; index.html and all
// other addresses of Supervisor's page answer as they did, and classic.html is that page for
// people. It is drawn by package page of what the same methods say that clients call
// (board.go, boarddata.go), acts by POST to act alone, asks before it does anything to
// several processes, and is live by server-sent events (live.go): while a page is open, and
// only then, one goroutine waits for changes, draws them once and wakes the streams. These
// count as log streams do. What a change brings to a page is made once for all streams that
// have seen the one before, and the drawing has an account as a request has. What processes
// take is measured as long as somebody has looked within a quarter of an hour.
//
// # Who may only look
//
// With readonly_username, or over a unix socket with operators as a user that is none of
// them, a client may look and change nothing: every request but GET, HEAD
// and a call is answered 403, and so is a call of a method that is not in the list of those
// that read (readonly.go), with fault 403 in it.
//
// # Figures
//
// /metrics is for Prometheus, in its text format or as OpenMetrics. /healthz is 200 while
// the supervisor's loop answers, /readyz while the files are in force and no process is on
// its way or has failed; otherwise they are 503, and say why.
// /sd lists the processes with a metrics_port for Prometheus to find. With metrics=open a
// server shows these four, and nothing else, without its password. What processes take is
// measured by package usage when somebody asks, and left out where /proc does not answer.
//
// # Limits
//
// Header 64 KiB and 30 seconds, body 16 MiB and 2 minutes, 2 minutes for the client
// to take a reply, which carries 256 MiB of a log or of the results of a multicall
// at most, 64 MiB of memory for all requests and replies under way together, XML 100
// elements deep, 1024 connections for each server or, where that is less, a quarter
// of the descriptors for all of them. A connection beyond that displaces the one that
// has gone longest without being answered, so idle ones, those in the middle of a
// header or a body, and those whose client has not taken its reply for five seconds
// cannot keep others out. A wait and a stream last as long as they do, however long
// their reader pauses, and an idle connection is kept: Supervisor's interactive shell
// holds one for hours. When file descriptors run out, accepting pauses and goes on
// by itself.
//
// So that short requests always find a place, those that last have three quarters of
// the connections: log streams half, and the streams of one client, which is a uid
// or an address, a quarter; the waiting calls of one client half. Beyond that a
// stream is answered 503, a call with fault 30. On a unix socket an eighth of all of
// these is kept for root and the daemon's own user (conns.go).
//
// Each request has an account (memory.go) of what it takes: the body, what is decoded
// of it, and the reply, which is made in pieces (document.go). A quarter of the memory
// is for bodies of more than 16 KiB that are still coming, which must go on
// coming, 16 KiB in 30 seconds; so slow clients keep only each other waiting. Of the
// rest, three quarters are for requests of more than 1 MiB, an eighth is kept for small
// ones, and another for small ones of root or the daemon's own user. Large requests grow
// one after the other, each until its reply is complete, for strangers and for the owner
// of a unix socket apart, so that each can have all that there is for one. What finds no
// room waits in order for five seconds, a large one for thirty, then it is fault 30,
// or 503 where it is no call; what could never find room is refused at once. The owner is
// root or the daemon's own user over a unix socket. A log of any length takes 32 KiB:
// it is read once for the Content-Length, which clients need, and again while it is
// sent; one that was emptied in between ends the connection. After a request that
// took 4 MiB the memory is given back to the system within three seconds.
//
// # Handing over
//
// A Server may leave its sockets, and the connections of those who are between two
// requests or follow a log, to another one (handover.go), which may be that of a program
// that is executed in this process. A connection is kept at the moment at which net/http
// waits for its next request and nothing of that has been read: its reader is woken up,
// and sees a closed connection, while another descriptor of it stays open. A stream is taken
// out of net/http between two chunks. A restart that was begun on a page has several steps: an
// upgrade lets it end first (HoldOrders), and is refused if that takes long. Connections with TLS cannot be handed over, since
// the state of the session is Go's; they are closed.
//
// # Differences from Supervisor
//
// Replies of requests that Supervisor answers with HTTP 500, with silence or by
// dropping the connection: parameters of a wrong type are fault 2, malformed
// requests and empty bodies are 400, requests of HTTP/1.1 without Host too where
// neither a unix socket nor a password keeps browsers out. Streams begin and go on at once in HTTP/1.0 too, survive
// rotation and truncation. Logs that are no UTF-8 are sent with U+FFFD.
//
// # Goroutines
//
// One for each listener, waited for by Run, and those of net/http, one or two for
// each connection, which end when Run closes the connections. A stream polls its file
// in the goroutine of its request. Giving memory back has one for a moment.
//
// The package imports spec, runtime (values, errors, levels, logfile, state, usage, notice),
// rpc/page and rpc/xmlrpc; never reconcile.
//
// Source: contract/rpc.md, contract/config.md section 10.
package rpc
