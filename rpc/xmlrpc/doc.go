// Package xmlrpc is the XML-RPC wire format as Supervisor speaks it, for the
// server and for the client: calls, responses and faults as text, and the fault
// codes with their names.
//
// Encoding gives the bytes that Supervisor's own encoder gives, newline for
// newline, because scripts grep raw replies. It differs in one point: what XML
// cannot carry in a string (bytes that are not UTF-8, control characters) is
// sent as U+FFFD, where Supervisor answers with HTTP 500 or with XML that no
// parser reads.
//
// Decoding is bounded: documents deeper than MaxDepth are refused, entities
// other than XML's own five are an error, document type declarations are
// skipped unread, and nothing is ever fetched. The caller limits how many
// bytes are read.
//
// The package imports nothing of this module.
//
// Source: contract/rpc.md section 2.
package xmlrpc
