package spec

// Nearest is the word of a list that a misspelt word was probably meant to be, ""
// if none is near.
func Nearest(word string, list []string) string { return nearest(word, list) }
