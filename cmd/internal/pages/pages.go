// Package pages holds the manual pages. The tests of the programs make them, see
// package mdoc.
package pages

import "embed"

//go:generate env UPDATE_MANUAL=1 go test -count=1 -run ^TestManualPage$ . ../../supervisord ../../supervisorctl ../../pidproxy

// Files is the pages, by names such as supervisord.8.
//
//go:embed *.1 *.5 *.8
var Files embed.FS
