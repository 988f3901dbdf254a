// Command echo_supervisord_conf prints a sample configuration file.
package main

import (
	_ "embed"
	"fmt"
	"os"
)

// sample has every section and every key that spec knows, with its default.
//
//go:embed sample.conf
var sample string

func main() {
	if _, err := os.Stdout.WriteString(sample); err != nil {
		fmt.Fprintf(os.Stderr, "cannot print the sample: %v\n", err)
		os.Exit(1)
	}
}
