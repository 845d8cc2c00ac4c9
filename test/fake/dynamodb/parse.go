package dynamodb

import (
	"regexp"
	"slices"
	"strings"
)

// node is a part of an expression: an operator with its operands. Leaves are
// paths ("path", whose words are its names) and values (":", one word).
type node struct {
	op    string
	words []string
	args  []*node
}

// parser caches what it parsed, because the same few dozen expressions recur. A
// DB uses it under its lock.
type parser struct {
	conditions  map[string]*node
	updates     map[string]*update
	projections map[string][]*node
	token       *regexp.Regexp
}

func newParser() parser {
	return parser{
		conditions: map[string]*node{}, updates: map[string]*update{}, projections: map[string][]*node{},
		token: regexp.MustCompile(`^\s*([#:]?[A-Za-z0-9_]+|<=|>=|<>|[()=<>,.+\-\[\]])`),
	}
}

// tokens ends with an empty token.
func (p *parser) tokens(expression string) ([]string, error) {
	var list []string
	for rest := expression; strings.TrimSpace(rest) != ""; {
		m := p.token.FindStringSubmatch(rest)
		if m == nil {
			return nil, invalid("Invalid expression: Syntax error near %q", rest)
		}
		list = append(list, m[1])
		rest = rest[len(m[0]):]
	}
	return append(list, ""), nil
}

// reader walks over tokens.
type reader struct {
	tokens []string
	at     int
}

func (r *reader) peek() string { return r.tokens[r.at] }

func (r *reader) next() string {
	token := r.tokens[r.at]
	if token != "" {
		r.at++
	}
	return token
}

func (r *reader) is(words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, r.peek()) })
}

func (r *reader) expect(token string) error {
	if got := r.next(); !strings.EqualFold(got, token) {
		return invalid("Invalid expression: Syntax error; token: %q, expected %q", got, token)
	}
	return nil
}

// condition parses a condition or a key condition.
func (p *parser) condition(expression string) (*node, error) {
	if n, ok := p.conditions[expression]; ok {
		return n, nil
	}
	tokens, err := p.tokens(expression)
	if err != nil {
		return nil, err
	}
	r := &reader{tokens: tokens}
	n, err := r.or()
	if err == nil {
		err = r.expect("")
	}
	if err == nil {
		p.conditions[expression] = n
	}
	return n, err
}

func (r *reader) or() (*node, error)  { return r.chain("OR", r.and) }
func (r *reader) and() (*node, error) { return r.chain("AND", r.not) }

func (r *reader) chain(op string, part func() (*node, error)) (*node, error) {
	first, err := part()
	if err != nil || !r.is(op) {
		return first, err
	}
	n := &node{op: op, args: []*node{first}}
	for r.is(op) {
		r.next()
		arg, err := part()
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, arg)
	}
	return n, nil
}

func (r *reader) not() (*node, error) {
	if !r.is("NOT") {
		return r.primary()
	}
	r.next()
	arg, err := r.not()
	return &node{op: "NOT", args: []*node{arg}}, err
}

func (r *reader) primary() (*node, error) {
	switch {
	case r.is("("):
		r.next()
		n, err := r.or()
		if err != nil {
			return nil, err
		}
		return n, r.expect(")")
	case r.is("attribute_exists", "attribute_not_exists", "begins_with"):
		op := strings.ToLower(r.next())
		args, err := r.list()
		if want := map[bool]int{true: 2, false: 1}[op == "begins_with"]; err == nil && len(args) != want {
			err = invalid("Invalid expression: Incorrect number of operands for %s", op)
		}
		return &node{op: op, args: args}, err
	}
	left, err := r.operand()
	if err != nil {
		return nil, err
	}
	return r.comparison(left)
}

func (r *reader) comparison(left *node) (*node, error) {
	switch {
	case r.is("=", "<>", "<", "<=", ">", ">="):
		op := r.next()
		right, err := r.operand()
		return &node{op: op, args: []*node{left, right}}, err
	case r.is("IN"):
		r.next()
		list, err := r.list()
		return &node{op: "IN", args: append([]*node{left}, list...)}, err
	case r.is("BETWEEN"):
		r.next()
		low, err := r.operand()
		if err == nil {
			err = r.expect("AND")
		}
		if err != nil {
			return nil, err
		}
		high, err := r.operand()
		return &node{op: "BETWEEN", args: []*node{left, low, high}}, err
	}
	return nil, invalid("Invalid expression: Syntax error; token: %q", r.peek())
}

// list parses operands in parentheses.
func (r *reader) list() ([]*node, error) {
	if err := r.expect("("); err != nil {
		return nil, err
	}
	var list []*node
	for {
		arg, err := r.operand()
		if err != nil {
			return nil, err
		}
		list = append(list, arg)
		if !r.is(",") {
			return list, r.expect(")")
		}
		r.next()
	}
}

func (r *reader) operand() (*node, error) {
	if strings.HasPrefix(r.peek(), ":") {
		return &node{op: ":", words: []string{r.next()}}, nil
	}
	return r.path()
}

// path parses names separated by dots. A name without a placeholder must
// contain an underscore, which rules out every reserved word that the code uses
// as a name.
func (r *reader) path() (*node, error) {
	n := &node{op: "path"}
	for {
		name := r.next()
		if !strings.HasPrefix(name, "#") && !strings.Contains(name, "_") {
			return nil, invalid("Invalid expression: %q is a reserved word or not a name", name)
		}
		n.words = append(n.words, name)
		if r.is("[") {
			return nil, unsupported("an index into a list")
		}
		if !r.is(".") {
			return n, nil
		}
		r.next()
	}
}

// update is an update expression.
type update struct{ sets, removes, adds []*node }

// update parses an update expression. A SET action is a node of path and value,
// where the value may be if_not_exists.
func (p *parser) update(expression string) (*update, error) {
	if u, ok := p.updates[expression]; ok {
		return u, nil
	}
	tokens, err := p.tokens(expression)
	if err != nil {
		return nil, err
	}
	r, u := &reader{tokens: tokens}, &update{}
	for r.peek() != "" {
		if err := r.clause(u); err != nil {
			return nil, err
		}
	}
	p.updates[expression] = u
	return u, nil
}

func (r *reader) clause(u *update) error {
	clause := strings.ToUpper(r.next())
	for {
		path, err := r.path()
		if err != nil {
			return err
		}
		switch clause {
		case "SET":
			if err := r.expect("="); err != nil {
				return err
			}
			value, err := r.setValue()
			if err != nil {
				return err
			}
			u.sets = append(u.sets, &node{op: clause, args: []*node{path, value}})
		case "REMOVE":
			u.removes = append(u.removes, &node{op: clause, args: []*node{path}})
		case "ADD":
			value, err := r.operand()
			if err != nil {
				return err
			}
			u.adds = append(u.adds, &node{op: clause, args: []*node{path, value}})
		default:
			return unsupported("the update clause " + clause)
		}
		if !r.is(",") {
			return nil
		}
		r.next()
	}
}

func (r *reader) setValue() (*node, error) {
	if !r.is("if_not_exists") {
		return r.operand()
	}
	r.next()
	args, err := r.list()
	if err == nil && (len(args) != 2 || args[0].op != "path") {
		err = invalid("Invalid UpdateExpression: Incorrect operands for if_not_exists")
	}
	return &node{op: "if_not_exists", args: args}, err
}

func (p *parser) projection(expression string) ([]*node, error) {
	if list, ok := p.projections[expression]; ok {
		return list, nil
	}
	tokens, err := p.tokens(expression)
	if err != nil {
		return nil, err
	}
	r := &reader{tokens: tokens}
	var list []*node
	for {
		path, err := r.path()
		if err != nil {
			return nil, err
		}
		list = append(list, path)
		if r.peek() == "" {
			p.projections[expression] = list
			return list, nil
		}
		if err := r.expect(","); err != nil {
			return nil, err
		}
	}
}
