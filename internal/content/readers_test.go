package content_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// keepers are the packages that keep content, and show none of it. Every other package
// reads it from a [content.Reader].
func keepers() []string {
	return []string{
		"functions/indexer", // it walks through what is not shown as well, to remove that from the index
		"functions/worker", "functions/docs", "functions/embed", "functions/sweeper", "functions/crawler",
		"internal/content", "internal/worker", "internal/workflow", "internal/sweep", "internal/crawl", "internal/erasure",
	}
}

func TestStore_IsUsedOnlyByWhatKeepsContent(t *testing.T) {
	const root, path = "../..", `"gitlab.com/lorehook/lorehook/internal/content"`
	readers := 0
	for _, top := range []string{"functions", "cmd", "internal", "scripts"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				return err
			}
			within, err := filepath.Rel(root, filepath.Dir(name))
			if err != nil || slices.Contains(keepers(), filepath.ToSlash(within)) ||
				!slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == path }) {
				return err
			}
			stores, forReaders := usesOfStores(file)
			if readers += forReaders; stores != forReaders {
				t.Errorf("%s uses a Store: what shows content must read it from a Reader (Store.ForReaders)", name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if readers < 2 {
		t.Errorf("%d readers are made, and there are the API and the search at least", readers)
	}
}

// usesOfStores counts where a file names a Store, and how often that is only to make a
// Reader of it.
func usesOfStores(file *ast.File) (stores, forReaders int) {
	isContent := func(e ast.Expr, names ...string) bool {
		s, ok := e.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		pkg, ok := s.X.(*ast.Ident)
		return ok && pkg.Name == "content" && slices.Contains(names, s.Sel.Name)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if ok && isContent(e, "Store", "NewStore") {
			stores++
		}
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "ForReaders" {
			if made, ok := s.X.(*ast.CallExpr); ok && isContent(made.Fun, "NewStore") {
				forReaders++
			}
		}
		return true
	})
	return stores, forReaders
}
