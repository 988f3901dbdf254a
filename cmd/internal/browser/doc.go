// Package browser tests the web page in a real browser: a daemon that was built, a
// Chromium, and what an operator does at night. The test is behind the build tag browser,
// so that running all tests does not require building a browser driver:
//
//	AXE_CORE=axe.min.js go test -tags browser ./cmd/internal/browser
//
// With SCREENSHOTS=DIR it saves a picture of each page there.
package browser
