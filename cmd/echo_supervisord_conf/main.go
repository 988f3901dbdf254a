// Command echo_supervisord_conf prints a sample configuration file.
package main

import (
	"fmt"
	"os"

	"supervisord/spec/manual"
)

func main() {
	if _, err := os.Stdout.WriteString(manual.Sample); err != nil {
		fmt.Fprintf(os.Stderr, "cannot print the sample: %v\n", err)
		os.Exit(1)
	}
}
