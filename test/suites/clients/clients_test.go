package clients

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/test/engines"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

func TestQuickStartInPython_StartsARunAndReadsTheCopy(t *testing.T) {
	c := newClient(t, "python.md", "python", "quickstart.py")
	jars, err := filepath.Glob(filepath.Join(c.tools, "lib", "*.jar"))
	if err != nil || len(jars) != 1 {
		t.Fatalf("generators %v, error %v", jars, err)
	}
	c.build("java", append([]string{"-jar", jars[0]}, command(t, "python.md", "openapi-generator-cli")...)...)
	// The generator leaves out of the servers' variables what its own type requires.
	c.write("mypy.ini", "[mypy]\nmypy_path = lorehook-client\ndisable_error_code = typeddict-item\n")
	c.build(c.python("mypy"), "--package", "lorehook_client")
	// Types of an installed package are used, but not checked.
	c.build(c.python("mypy"), "--strict", "--follow-imports=silent", "quickstart.py")
	c.try([]string{"PYTHONPATH=lorehook-client", "PYTHONWARNINGS=error"}, c.python("python"), "quickstart.py")
}

func TestQuickStartInTypeScript_StartsARunAndReadsTheCopy(t *testing.T) {
	c := newClient(t, "typescript.md", "ts", "quickstart.ts")
	c.write("package.json", `{"type":"module"}`)
	if err := os.Symlink(filepath.Join(c.tools, "node_modules"), filepath.Join(c.dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	c.build(c.node("openapi-typescript"), command(t, "typescript.md", "npx openapi-typescript")...)
	c.build(c.node("tsc"), command(t, "typescript.md", "npx tsc")...)
	c.try(nil, "node", "quickstart.js")
}

func TestQuickStarts_NameTheVersionsThatAreTested(t *testing.T) {
	const scripts = "../../../scripts/clients/"
	for page, of := range map[string]struct{ version, pinned string }{
		"python.md":     {`([\w-]+)==([\w.]+)`, scripts + "requirements.txt"},
		"typescript.md": {`([@\w/-]+)@(\d[\w.]+)`, scripts + "package.json"},
	} {
		pinned := text(t, of.pinned)
		named := regexp.MustCompile(of.version).FindAllStringSubmatch(text(t, pages+page), -1)
		for _, n := range named {
			if !strings.Contains(pinned, n[1]+"=="+n[2]+"\n") && !strings.Contains(pinned, `"`+n[1]+`": "`+n[2]+`"`) {
				t.Errorf("%s names %s %s, which is not in %s", page, n[1], n[2], of.pinned)
			}
		}
		if len(named) == 0 {
			t.Errorf("%s names no version", page)
		}
	}
	generator := regexp.MustCompile(`openapi-generator-cli</artifactId>\s*<version>(.*)</version>`).FindStringSubmatch(text(t, scripts+"pom.xml"))
	if generator == nil || !strings.Contains(text(t, pages+"python.md"), "(https://openapi-generator.tech/docs/installation) "+generator[1]+" ") {
		t.Errorf("python.md does not name the generator's version, %v", generator)
	}
}

// pages are where the quick starts are.
const pages = "../../../docs/api/"

func text(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// block returns the page's program in the language.
func block(t *testing.T, page, language string) string {
	t.Helper()
	found := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text(t, pages+page), -1)
	if len(found) != 1 {
		t.Fatalf("%s has %d programs", page, len(found))
	}
	return found[0][1]
}

// command returns the arguments with which the page calls the program.
func command(t *testing.T, page, program string) []string {
	t.Helper()
	joined := strings.ReplaceAll(text(t, pages+page), "\\\n", " ")
	found := regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(program)+` (.*)$`).FindAllStringSubmatch(joined, -1)
	if len(found) != 1 {
		t.Fatalf("%s calls %s %d times", page, program, len(found))
	}
	return strings.Fields(found[0][1])
}
