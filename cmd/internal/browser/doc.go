// Package browser walks through the web page in a real browser: a daemon that was built, a
// Chromium, and what an operator does at night. The test is behind the build tag browser,
// so that nobody who runs all tests has to build what drives a browser:
//
//	AXE_CORE=axe.min.js go test -tags browser ./cmd/internal/browser
//
// With SCREENSHOTS=DIR it leaves pictures of each page there.
package browser
