package notice

import "testing"

// TestEveryoneIsTold: all who wait hear of one change, and who asks afterwards waits for
// the next.
func TestEveryoneIsTold(t *testing.T) {
	var n Notice
	n.Tell() // nobody waits
	first, second := n.Next(), n.Next()
	if told(first) || told(second) {
		t.Error("told of what was before")
	}
	n.Tell()
	if !told(first) || !told(second) {
		t.Error("not told")
	}
	if third := n.Next(); told(third) {
		t.Error("told of the last change again")
	}
}

func told(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
