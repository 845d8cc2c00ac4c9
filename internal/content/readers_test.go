package content_test

import (
	"go/ast"
	"go/types"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// module is the path that the paths of our packages begin with.
const module = "gitlab.com/lorehook/lorehook/"

// keepers are the packages that keep content, and show none of it. Every other package
// reads it from a [content.Reader].
func keepers() []string {
	return []string{
		"functions/worker", "functions/docs", "functions/embed", "functions/sweeper", "functions/crawler",
		"internal/content", "internal/worker", "internal/workflow", "internal/sweep", "internal/crawl", "internal/erasure",
	}
}

// hands are the functions, besides ForReaders, to which a package that keeps nothing hands
// a Store: they see through what is not shown, and show none of it.
func hands() map[string][]string {
	return map[string][]string{"internal/function/indexenv": {"search.WalkOf"}}
}

// named are the functions that take the name of the content table.
func named() []string { return []string{"content.NewStore", "erasure.New"} }

// product loads the packages of the product with their types.
func product(t *testing.T) []*packages.Package {
	t.Helper()
	loaded, err := packages.Load(&packages.Config{
		Dir: "../..", Context: t.Context(),
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedExportFile,
	}, "./functions/...", "./cmd/...", "./internal/...")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range loaded {
		for _, wrong := range p.Errors {
			t.Fatal(wrong)
		}
	}
	return loaded
}

// each calls visit with every expression of the package and what is around it, the
// innermost last.
func each(p *packages.Package, visit func(e ast.Expr, around []ast.Node)) {
	for _, file := range p.Syntax {
		ast.PreorderStack(file, nil, func(n ast.Node, around []ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				visit(e, around)
			}
			return true
		})
	}
}

// called names the function that the expression is an argument of, such as
// content.NewStore, or the method that is called on it, such as ForReaders; "" for any
// other place.
func called(p *packages.Package, e ast.Expr, around []ast.Node) string {
	switch parent := around[len(around)-1].(type) {
	case *ast.SelectorExpr:
		if parent.X == e {
			return parent.Sel.Name
		}
	case *ast.CallExpr:
		if selector, ok := parent.Fun.(*ast.SelectorExpr); ok && slices.Contains(parent.Args, e) {
			if f, ok := p.TypesInfo.Uses[selector.Sel].(*types.Func); ok && f.Pkg() != nil {
				return path.Base(f.Pkg().Path()) + "." + f.Name()
			}
		}
	}
	return ""
}

func TestStore_IsUsedOnlyByWhatKeepsContent(t *testing.T) {
	loaded := product(t)
	t.Run("a Store", func(t *testing.T) { usesOfStores(t, loaded) })
	t.Run("the name of its table", func(t *testing.T) { usesOfTheName(t, loaded) })
}

func usesOfStores(t *testing.T, product []*packages.Package) {
	readers := map[string]bool{}
	for _, p := range product {
		within := strings.TrimPrefix(p.PkgPath, module)
		if slices.Contains(keepers(), within) {
			continue
		}
		each(p, func(e ast.Expr, around []ast.Node) {
			value, typed := p.TypesInfo.Types[e]
			if id, ok := e.(*ast.Ident); ok && p.TypesInfo.Defs[id] != nil {
				value, typed = types.TypeAndValue{Type: p.TypesInfo.Defs[id].Type()}, true
			}
			if !typed || strings.TrimPrefix(value.Type.String(), "*") != module+"internal/content.Store" {
				return
			}
			switch f := called(p, e, around); {
			case f == "ForReaders":
				readers[within] = true
			case slices.Contains(hands()[within], f):
			default:
				if _, assigned := around[len(around)-1].(*ast.AssignStmt); !assigned || hands()[within] == nil {
					t.Errorf("%s: a Store: what shows content must read it from a Reader (Store.ForReaders)", p.Fset.Position(e.Pos()))
				}
			}
		})
	}
	for _, within := range []string{"functions/api", "functions/search", "internal/function/indexenv"} {
		if !readers[within] {
			t.Errorf("%s makes no Reader", within)
		}
	}
}

// usesOfTheName looks for what could read the content table without a Store.
func usesOfTheName(t *testing.T, product []*packages.Package) {
	uses := 0
	for _, p := range product {
		within := strings.TrimPrefix(p.PkgPath, module)
		each(p, func(e ast.Expr, around []ast.Node) {
			if literal, ok := e.(*ast.BasicLit); ok && strings.Contains(literal.Value, "LOREHOOK_TABLE_CONTENT") && !slices.Contains([]string{"internal/function/config", "internal/tables"}, within) {
				t.Errorf("%s: the variable of the content table's name", p.Fset.Position(e.Pos()))
			}
			selector, ok := e.(*ast.SelectorExpr)
			if !ok || !namesContent(p, selector) {
				return
			}
			uses++
			if !slices.Contains(named(), called(p, e, around)) {
				t.Errorf("%s: the name of the content table is only for %s", p.Fset.Position(e.Pos()), strings.Join(named(), " and "))
			}
		})
	}
	if uses < 8 {
		t.Errorf("%d uses of the name were seen, and each function that keeps or shows content has one", uses)
	}
}

// namesContent reports whether the selector is the content table's name in the
// configuration, or its schema.
func namesContent(p *packages.Package, selector *ast.SelectorExpr) bool {
	object := p.TypesInfo.Uses[selector.Sel]
	if object == nil || object.Name() != "Content" || object.Pkg() == nil {
		return false
	}
	switch object.Pkg().Path() {
	case module + "internal/function/config", module + "internal/tables":
		return true
	}
	return false
}
