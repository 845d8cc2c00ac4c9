package record_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/record"
)

func TestName_IsTheIDInOneSpelling(t *testing.T) {
	for id, want := range map[string]string{
		`5004`: "5004", `"5004"`: "5004", `5004.0`: "5004", `5.004e3`: "5004", `18446744073709551615`: "18446744073709551615",
		`"6a9c1750b37d513a43987b574953fceb50b03ce7"`: "6a9c1750b37d513a43987b574953fceb50b03ce7",
		`"` + strings.Repeat("x", 128) + `"`:         strings.Repeat("x", 128),
	} {
		if got, ok := record.Name(json.RawMessage(`{"id":` + id + `}`)); !ok || got != want {
			t.Errorf("id %s: %q, %v, want %q", id, got, ok, want)
		}
	}
}

func TestName_OfARecordWithoutAUsableIDFollowsFromItsContent(t *testing.T) {
	seen := map[string]string{}
	for _, raw := range []string{
		`{}`, `{"id":null}`, `{"id":0}`, `{"id":-7}`, `{"id":7.5}`, `{"id":9007199254740993.0}`, `{"id":1e300}`, `{"id":1e999}`, `{"id":true}`, `{"id":{}}`, `{"id":[7]}`, `{"id":""}`,
		`{"id":"a b"}`, `{"id":"a\u0000"}`, `{"id":"\ud800"}`, `{"id":"` + strings.Repeat("x", 129) + `"}`, `{"id":` + strings.Repeat("9", 129) + `}`,
	} {
		name, ok := record.Name(json.RawMessage(raw))
		if !ok || !strings.HasPrefix(name, "unnamed-") || len(name) != len("unnamed-")+32 {
			t.Errorf("%s: %q, %v", raw, name, ok)
		}
		if again, _ := record.Name(json.RawMessage(" " + strings.ReplaceAll(raw, ":", ": "))); again != name {
			t.Errorf("%s: %q with other white space", raw, again)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%s and %s have one name", raw, other)
		}
		seen[name] = raw
	}
	for _, raw := range []string{``, `null`, `7`, `"x"`, `[]`, `{"id":`} {
		if name, ok := record.Name(json.RawMessage(raw)); ok {
			t.Errorf("%q has the name %q", raw, name)
		}
	}
}

func read(t *testing.T, raw string) record.Fields {
	t.Helper()
	f, ok := record.Read(json.RawMessage(raw))
	if !ok {
		t.Fatalf("%s is not an object", raw)
	}
	return f
}

func TestFields_ReportNoMoreThanTheFirstOfManyOddElements(t *testing.T) {
	f := read(t, `{"labels":[`+strings.Repeat("7,", 10_000)+`"a"]}`)
	if names := f.Names("labels"); len(names) != 1 || len(f.Odd()) != 100 || f.Odd()[0] != "labels[0] is a number" {
		t.Errorf("%d names, %d elements reported", len(names), len(f.Odd()))
	}
}

func TestFields_UnderstandOtherSpellings(t *testing.T) {
	for raw, want := range map[string]int64{`7`: 7, `-7`: -7, `0`: 0, `7.0`: 7, `7e2`: 700, `"7"`: 7, `" 7 "`: 7, `"7.0"`: 7, `null`: 0, `9223372036854775807`: 9223372036854775807} {
		f := read(t, `{"n":`+raw+`}`)
		if got := f.Integer("n"); got != want || f.Odd() != nil {
			t.Errorf("%s is %d, odd %v", raw, got, f.Odd())
		}
	}
	f := read(t, `{"labels":["a",{"name":"b"}]}`)
	if diff := cmp.Diff([]string{"a", "b"}, f.Names("labels")); diff != "" || f.Odd() != nil {
		t.Errorf("odd %v, names (-want +got):\n%s", f.Odd(), diff)
	}
}

func TestFields_LeaveOutAndReportWhatIsOdd(t *testing.T) {
	for _, c := range []struct {
		raw  string
		read func(record.Fields) any
		want any
		odd  []string
	}{
		{`7`, func(f record.Fields) any { return f.Text("x") }, "", []string{"x is a number"}},
		{`{}`, func(f record.Fields) any { return f.Text("x") }, "", []string{"x is an object"}},
		{`null`, func(f record.Fields) any { return f.Text("x") }, "", nil},
		{`7.5`, func(f record.Fields) any { return f.Integer("x") }, int64(0), []string{"x is a number"}},
		{`9223372036854775808`, func(f record.Fields) any { return f.Integer("x") }, int64(0), []string{"x is a number"}},
		{`"seven"`, func(f record.Fields) any { return f.Integer("x") }, int64(0), []string{"x is a text"}},
		{`"0x10"`, func(f record.Fields) any { return f.Integer("x") }, int64(0), []string{"x is a text"}},
		{`true`, func(f record.Fields) any { return f.Integer("x") }, int64(0), []string{"x is a boolean"}},
		{`1`, func(f record.Fields) any { return f.Flag("x") }, false, []string{"x is a number"}},
		{`[]`, func(f record.Fields) any { return f.ID("x") }, "", []string{"x is a list"}},
		{`[{"y":1},7,null,{"y":2}]`, func(f record.Fields) any {
			var sum int64
			for _, object := range f.Objects("x") {
				sum += object.Integer("y")
			}
			return sum
		}, int64(3), []string{"x[1] is a number", "x[2] is null"}},
		{`{"y":{"z":[]}}`, func(f record.Fields) any {
			x, _ := f.Object("x")
			y, _ := x.Object("y")
			return y.Integer("z")
		}, int64(0), []string{"x.y.z is a list"}},
		{`[7,"a",{"name":8}]`, func(f record.Fields) any { return f.Names("x") }, []string{"a"}, []string{"x[0] is a number", "x[2].name is a number"}},
		{`"a"`, func(f record.Fields) any { return f.Names("x") }, []string(nil), []string{"x is a text"}},
	} {
		f := read(t, `{"x":`+c.raw+`}`)
		if diff := cmp.Diff(c.want, c.read(f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.raw, diff)
		}
		if diff := cmp.Diff(c.odd, f.Odd()); diff != "" {
			t.Errorf("%s, odd (-want +got):\n%s", c.raw, diff)
		}
	}
}

func TestFieldsHas_SaysWhetherThereIsAValue(t *testing.T) {
	f := read(t, `{"a":0,"b":"","c":{},"d":null}`)
	for name, want := range map[string]bool{"a": true, "b": true, "c": true, "d": false, "e": false} {
		if f.Has(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	if (record.Fields{}).Has("a") {
		t.Error("the zero Fields has a value")
	}
}

func TestFieldsAccess_NeverGuesses(t *testing.T) {
	for raw, want := range map[string]bool{`{"x":true}`: true, `{"x":false}`: false, `{"x":null}`: false, `{}`: false} {
		if got, err := read(t, raw).Access("x"); err != nil || got != want {
			t.Errorf("%s: %v, %v", raw, got, err)
		}
	}
	for _, raw := range []string{`0`, `1`, `"true"`, `""`, `[]`, `{}`} {
		if _, err := read(t, `{"x":`+raw+`}`).Access("x"); err == nil {
			t.Errorf("%s was taken for a boolean", raw)
		}
	}
}

// A record has the fields that encoding/json finds in it, however they are written: of
// several with one name, the last.
func FuzzRead_FindsTheFieldsThatEncodingJSONFinds(f *testing.F) {
	for _, raw := range []string{
		` {"a":1,"b" : "x\\\"}," , "c":[{"d":"]}"},[]],"e":{"f":{}} , "a":2}`, `{"\u0061":1,"a":null,"é":true,"\ud800":-1.5e3}`, "{\"\xff\":\"\xff\",\n\t\"\": false\r}",
		`{}`, ` { } `, `{"a":"\\\\"}`, `{"a":"\\\""}`, `null`, `[{}]`, `{"a":1}x`, `{"a":1,}`, `{"a"}`, ``,
		strings.Repeat(`{"a":`, 9_999) + "{}" + strings.Repeat("}", 9_999), strings.Repeat(`{"a":`, 10_000) + "{}" + strings.Repeat("}", 10_000),
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want map[string]json.RawMessage
		isObject := json.Unmarshal(raw, &want) == nil && want != nil
		got, ok := record.Read(raw)
		if ok != isObject {
			t.Fatalf("read: %v, an object: %v", ok, isObject)
		}
		for _, name := range got.Keys() {
			value := got.Raw(name)
			if value == nil {
				value = json.RawMessage("null")
			}
			if string(value) != string(want[name]) {
				t.Errorf("%q is %s, want %s", name, value, want[name])
			}
			var text string
			if value[0] == '"' && json.Unmarshal(value, &text) == nil && got.Text(name) != text {
				t.Errorf("%q is %q, want %q", name, got.Text(name), text)
			}
			var set bool
			if json.Unmarshal(value, &set) == nil && got.Flag(name) != set {
				t.Errorf("%q is %v, want %v", name, got.Flag(name), set)
			}
			delete(want, name)
		}
		if len(want) > 0 {
			t.Errorf("not found: %v", want)
		}
	})
}

// Whatever the JSON, reading it neither panics nor quotes it.
func FuzzRead(f *testing.F) {
	for _, raw := range []string{`{"id":"5004","x":[{"x":{}}]}`, `{"x":1e999}`, `{"id":{},"x":["",{"name":[]}]}`, `[]`} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		name, named := record.Name(json.RawMessage(raw))
		fields, ok := record.Read(json.RawMessage(raw))
		if named != ok || named && (name == "" || len(name) > 128) {
			t.Fatalf("name %q, %v and %v", name, named, ok)
		}
		fields.Text("x")
		fields.Integer("x")
		fields.ID("x")
		fields.Flag("x")
		fields.Names("x")
		fields.Access("x")
		for _, object := range fields.Objects("x") {
			object.Text("x")
		}
		for _, odd := range fields.Odd() {
			if !strings.HasPrefix(odd, "x") {
				t.Fatalf("it reports %q", odd)
			}
		}
	})
}
