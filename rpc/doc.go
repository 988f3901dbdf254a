// Package rpc is everything on a socket: the HTTP servers of the configuration
// with the XML-RPC interface, the log streams, the status page and the metrics.
//
// # What happens to a request
//
// Each [inet_http_server] and [unix_http_server] section is one httpServer with its
// own listener, connections and credentials. A request passes, in this order: the
// limit of connections, the password, the Host check of loopback listeners, the
// cross-origin check of everything that may change something, the checks of its
// body. Then it is routed by the prefix of its path, as in Supervisor.
//
// An XML-RPC call is decoded, looked up by its full name in one table of methods,
// and run in the goroutine of its request. A method asks the process table (iface.go)
// and waits with the request's context. A client that hangs up ends its wait, never
// the operation. Refusals come back as *runtime.Error; fault.go is the one table
// that maps them to fault codes.
//
// # Who may ask
//
// A server without username asks for no password, as in Supervisor. If such a server
// listens where only this machine can reach it, it answers only if the Host header is an
// address or one of the machine's own names, so that a web page cannot reach it under a
// name of its own (DNS rebinding). These names are localhost and everything below
// .localhost, the host name, and the names that the hosts file, read once, gives to
// loopback addresses. DNS is never asked, since its answers cannot be trusted here. A host
// in the request line must equal that in the header. A server with a password needs no
// such check, since a browser led there has no password to send; there a reverse proxy may
// pass on its own Host.
//
// With a password, and on unix sockets, where Host means nothing, an HTTP/1.1 request
// may lack a Host or have an invalid one, as several clients send it (framing.go). No such
// client uses TLS, which Supervisor does not have.
//
// POST requests that a browser sends for a page of another origin are refused, and
// so are those that it sends for a page it does not name: with an empty Origin, or
// with any mark of a browser, a type that forms can send, and no Origin, Fetch
// metadata, or Referer of ours. Calls with a type that forms can send, or with none,
// are refused if they have any mark of a browser; otherwise their Content-Type is
// ignored, as in Supervisor. Programs have no such mark. What clients send:
// Python's xmlrpc.client, Supervisor's own client, Go's kolo/xmlrpc and Node's
// xmlrpc say text/xml; curl --data says application/x-www-form-urlencoded; scripts
// with nc say nothing, in HTTP/1.0, without Host; all pass.
//
// The connection is closed after a request with a Transfer-Encoding, with several
// lengths or with folded lines, since a proxy may disagree about where it ends.
//
// # The status page
//
// On Supervisor's page only POST changes anything, and the answer is a 303 to the page with
// its message. Supervisor acts on GET too and answers 301 (contract/differences.md row 58).
// A GET of one of its action links, from a bookmark or another page, shows a question and a
// button; nothing happens until it is pressed. For clients other than browsers (neither
// text/html in Accept nor Sec-Fetch-Mode), the status is 405.
//
// Our own page is at / for clients that name text/html in Accept. index.html and all other
// addresses of Supervisor's page answer as they did, and classic.html shows that page to
// people. Our page is rendered by package page from the results of the same methods that
// clients call (board.go, boarddata.go). It changes things only by POST to act, asks before
// it does anything to several processes, and is updated by server-sent events (live.go, of what drawing.go renders):
// only while a page is open, one goroutine waits for changes, renders them once and wakes
// the streams, which count as log streams. An update is encoded once for all streams that
// have seen the one before, and rendering counts towards the memory limit as a request does.
// What processes use is sampled until a quarter of an hour after the last page view.
//
// # Read-only access
//
// With readonly_username, or over a unix socket as a user that operators does not name, a
// client may only read: every request but GET, HEAD and a call is answered 403, and so is a
// call of a method that is not listed as read-only (readonly.go), with fault 403 in the
// reply.
//
// # Metrics
//
// /metrics is for Prometheus, in its text format or as OpenMetrics. /healthz is 200 while
// the supervisor's loop answers, /readyz while the files are in force, but for what pauses
// and a closed window hold, and no process is starting or has failed, ended with an unexpected status included; otherwise they are 503, and say why. /sd lists the processes with
// a metrics_port for Prometheus to discover. With metrics=open a server serves these four,
// and nothing else, without its password. What processes use is measured by package usage
// on demand, and left out if /proc does not answer.
//
// # Limits
//
// Header 64 KiB and 30 seconds, body 16 MiB and 2 minutes, 2 minutes for the client to
// take a reply, which carries at most 256 MiB of a log or of the results of a
// multicall, 64 MiB of memory for all requests and replies under way together, XML 100
// elements deep, 1024 connections for each server or, where that is less, a quarter
// of the descriptors for all of them. A further connection displaces the one that has
// gone longest without an answer, so idle connections, those in the middle of a header
// or a body, and those whose client has not read its reply for five seconds cannot keep
// others out. Waiting calls and streams may last however long their reader pauses, and
// an idle connection is kept while there is room: Supervisor's interactive shell holds
// one for hours. When file descriptors run out, accepting pauses and resumes by itself.
//
// So that there is always room for short requests, long-lived ones may use three quarters
// of the connections: log streams half, the streams of one client, which is a uid or an
// address, a quarter, and the waiting calls of one client half. Beyond that a stream is
// answered with 503, a call with fault 30. On a unix socket an eighth of all of
// these is reserved for root and the daemon's own user (conns.go).
//
// Each request has an account (memory.go) of the memory it uses: the body, what is decoded
// from it, and the reply, which is built in pieces (document.go). A quarter of the memory
// is for bodies of more than 16 KiB that are still arriving, at 16 KiB in 30 seconds or
// faster; so slow clients delay only each other. Of the rest, three quarters are for
// requests of more than 1 MiB, an eighth is reserved for small ones, and another for small
// ones of root or the daemon's own user. Large requests take turns, each until its reply is
// complete, separately for the owner of a unix socket and for everybody else, so that each
// can use all the memory there is for one. A request that finds no room queues for five
// seconds, a large one for thirty; then it gets fault 30, or 503 if it is not a call. A
// request that could never find room is refused at once. The owner is root or the
// daemon's own user over a unix socket. A log of any length takes 32 KiB: it is read once
// for the Content-Length, which clients need, and again while it is sent; if it was
// emptied in between, the connection is closed. After a request that took 4 MiB the memory
// is returned to the system within three seconds.
//
// # Handover
//
// A Server can leave its sockets, the connections that are between two requests, and those
// that follow a log, to another Server (handover.go), possibly that of a program which is
// executed in this process. A connection is taken at the moment when net/http waits for its
// next request and has read nothing of it: its reader is woken and sees a closed connection,
// while a duplicate of its descriptor stays open. A stream is taken out of net/http between
// two chunks. TLS connections cannot be handed over, since Go cannot export the state of
// the session; they are closed. A restart that was begun on a page has several steps: an
// upgrade lets it end first (HoldOrders), and is refused if that takes long.
//
// # Differences from Supervisor
//
// Replies of requests that Supervisor answers with HTTP 500, with silence or by
// dropping the connection: parameters of a wrong type are fault 2, malformed
// requests and empty bodies are 400, and so are HTTP/1.1 requests without Host where
// neither a unix socket nor a password keeps browsers out. Streams begin and continue at
// once, in HTTP/1.0 too, and survive rotation and truncation. In logs, bytes that are not
// UTF-8 are sent as U+FFFD.
//
// # Goroutines
//
// One for each listener, waited for by Run, and those of net/http, one or two for
// each connection, which end when Run closes the connections. A stream polls its file
// in the goroutine of its request. Returning memory to the system takes one for a moment.
//
// Source: contract/rpc.md, contract/config.md section 10.
package rpc
