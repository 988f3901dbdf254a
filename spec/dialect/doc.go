// Package dialect reads the bytes of one file in Supervisor's dialect of INI:
// which sections it has, which options, and on which line each stands. It does
// not interpret them. Parse never fails: what cannot be read is in the Document,
// as mistakes in Supervisor's words.
//
//   - decode.go turns bytes into text, and says where they are not UTF-8.
//   - lines.go classifies each line: a comment, a header, an option, or the next
//     line of a value.
//   - ini.go stores the sections and options in ini.v1; no other file of this
//     module imports it.
//   - mistake.go words the messages for what could not be read.
//
// It imports spec/value, for Python's white space and way of quoting.
//
// Source: contract/config.md section 2.
package dialect
