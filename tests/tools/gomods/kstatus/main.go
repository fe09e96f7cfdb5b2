// kstatus prints what the library behind `helm --wait` and Flux makes of each object under `items` of the JSON on standard input.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func main() {
	// Not a plain map: numbers are int64 only where apimachinery reads them.
	var list struct{ Items []*unstructured.Unstructured }
	if err := json.NewDecoder(os.Stdin).Decode(&list); err != nil {
		log.Fatal(err)
	}
	verdicts := make([]string, 0, len(list.Items))
	for _, object := range list.Items {
		result, err := status.Compute(object)
		if err != nil {
			log.Fatal(err)
		}
		verdicts = append(verdicts, string(result.Status))
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		log.Fatal(err)
	}
}
