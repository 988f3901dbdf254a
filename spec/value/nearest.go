package value

import "slices"

// Nearest is the word of a list that a misspelt word was probably meant to be:
// the one with the fewest letters to change, if they are few, and of several the
// longest: a letter is rather forgotten than added. "" if none is near.
func Nearest(word string, list []string) string {
	best, distance := "", len(word)/3+1
	for _, candidate := range list {
		if d := editDistance(word, candidate, distance); d < distance || d == distance && len(candidate) > len(best) {
			best, distance = candidate, d
		}
	}
	return best
}

// editDistance counts the letters to insert, remove, replace or swap with their
// neighbour to turn a into b. Beyond limit it gives any larger number.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		if slices.Min(row) > limit {
			return limit + 1
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
