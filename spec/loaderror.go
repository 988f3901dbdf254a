package spec

import (
	"cmp"
	"slices"

	"github.com/hashicorp/go-multierror"
)

// LoadError is every mistake of a configuration that cannot be used. As an error
// it is the one mistake at which Supervisor would have stopped.
type LoadError struct {
	first *Error
	all   *multierror.Error // by file, line, section and key
	// advice are the warnings beside the mistakes, and files what was read.
	advice []*Error
	files  []File
}

// newLoadError takes mistakes in Supervisor's order; there is at least one.
func newLoadError(errs []*Error) *LoadError {
	e := &LoadError{first: errs[0]}
	for _, err := range byPlace(errs) {
		e.all = multierror.Append(e.all, err)
	}
	return e
}

// byPlace sorts by file, line, section and key.
func byPlace(errs []*Error) []*Error {
	errs = slices.Clone(errs)
	slices.SortStableFunc(errs, func(a, b *Error) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Section, b.Section),
			cmp.Compare(a.Key, b.Key),
		)
	})
	return errs
}

// Error is Supervisor's text of the mistake that it would have met first.
func (e *LoadError) Error() string { return e.first.Text }

// All is every mistake, by file, line, section and key.
func (e *LoadError) All() []*Error {
	list := make([]*Error, len(e.all.Errors))
	for i, err := range e.all.Errors {
		list[i] = err.(*Error)
	}
	return list
}

// Advice is what Config.Advice would be if there were no mistakes.
func (e *LoadError) Advice() []*Error { return e.advice }

// Files is what Config.Files would be if there were no mistakes.
func (e *LoadError) Files() []File { return e.files }

// Unwrap lets errors.As find the collection and each *Error in it.
func (e *LoadError) Unwrap() error { return e.all }
