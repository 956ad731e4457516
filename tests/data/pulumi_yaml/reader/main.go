package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

type out struct {
	Error  string            `json:"error,omitempty"`
	Config map[string]string `json:"config,omitempty"`
}

func read(text string) (o out) {
	defer func() {
		if r := recover(); r != nil {
			o = out{Error: fmt.Sprintf("panic: %v", r)}
		}
	}()
	project, err := workspace.LoadProjectBytes([]byte("name: vllm-eks\nruntime: python\n"), "Pulumi.yaml", encoding.YAML)
	if err != nil {
		return out{Error: err.Error()}
	}
	stack, err := workspace.LoadProjectStackBytes(nil, project, []byte(text), "Pulumi.dev.yaml", encoding.YAML)
	if err != nil {
		return out{Error: err.Error()}
	}
	values, err := stack.Config.Decrypt(config.NewBlindingDecrypter())
	if err != nil {
		return out{Error: "decrypt: " + err.Error()}
	}
	m := map[string]string{}
	for k, v := range values {
		m[k.String()] = v
	}
	return out{Config: m}
}

func main() {
	var texts []string
	raw, _ := io.ReadAll(os.Stdin)
	if err := json.Unmarshal(raw, &texts); err != nil {
		panic(err)
	}
	outs := []out{}
	for _, t := range texts {
		outs = append(outs, read(t))
	}
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	e.Encode(outs)
}
