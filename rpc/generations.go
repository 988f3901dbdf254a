package rpc

import (
	"context"
	"math"
)

// generationMethods are those of ReconcileNamespace that tell of earlier updates.
func generationMethods(r Reconciler) []Method {
	return []Method{
		{
			Name: "getGeneration",
			Help: "One update, by its number: its entries in the history, and each file whose content in force it changed,\n" +
				"by section and key. Values are as they stand in the files; those that may be secret are empty.",
			Params:  []Param{{Type: "int", Name: "number", Text: "of the update, as in getHistory"}},
			Returns: Param{Type: "struct", Name: "result", Text: "generation, entries (as of getHistory, the oldest first, with actions as of diff), files (structs with path, change and sections, these with section, change and keys, these with key, old and new), forgotten (why the files are not known, or empty)"},
			Func: func(ctx context.Context, a Args) (any, error) {
				number, err := a.generation(0)
				if err != nil {
					return nil, err
				}
				return r.Generation(ctx, number)
			},
		}, {
			Name: "diffGenerations",
			Help: "How the contents of the files that were in force after one update differ from those after another.",
			Params: []Param{
				{Type: "int", Name: "from", Text: "the number of an update"}, {Type: "int", Name: "to", Text: "the number of another"},
			},
			Returns: Param{Type: "array", Name: "files", Text: "structs as the files of getGeneration"},
			Func: func(ctx context.Context, a Args) (any, error) {
				from, err := a.generation(0)
				if err != nil {
					return nil, err
				}
				to, err := a.generation(1)
				if err != nil {
					return nil, err
				}
				return r.DiffGenerations(ctx, from, to)
			},
		},
	}
}

// generation is the number of an update.
func (a Args) generation(i int) (int, error) {
	n, err := a.Int(i)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0, badParameters
	}
	return int(n), nil
}
