package access_test

import (
	"slices"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/infra/access"
	"gitlab.com/lorehook/lorehook/internal/api"
)

// Each route is the reader's or only the operator's; a route with another method would be
// nobody's. What changes something is never the reader's.
func TestCallers_DivideTheRoutes(t *testing.T) {
	description, err := api.Description()
	if err != nil {
		t.Fatal(err)
	}
	reader, operator := access.Reader().Methods, access.Operator().Methods
	routes := 0
	for path, item := range description.Paths {
		if !strings.HasPrefix(path, "/v1/") {
			continue // open to all
		}
		for _, op := range api.Operations(item) {
			routes++
			if reads := op.Method == "GET"; reads != slices.Contains(reader, op.Method) || !slices.Contains(operator, op.Method) {
				t.Errorf("%s %s: reader has %v, operator %v", op.Method, path, reader, operator)
			}
		}
	}
	if routes < 30 {
		t.Errorf("only %d routes", routes)
	}
}
