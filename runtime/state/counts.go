package state

import (
	"fmt"
	"slices"
	"strings"
)

// Counts is how many processes are in each state; a state that is missing has none.
type Counts map[Process]int

// String is for people: "4 processes: 3 RUNNING, 1 FATAL", the most first.
func (c Counts) String() string {
	states := slices.DeleteFunc(slices.Clone(Processes), func(p Process) bool { return c[p] == 0 })
	slices.SortStableFunc(states, func(a, b Process) int { return c[b] - c[a] })
	var all int
	var counts []string
	for _, p := range states {
		all += c[p]
		counts = append(counts, fmt.Sprintf("%d %s", c[p], p))
	}
	switch all {
	case 0:
		return "no processes"
	case 1:
		return "1 process: " + states[0].String()
	}
	return fmt.Sprintf("%d processes: %s", all, strings.Join(counts, ", "))
}
