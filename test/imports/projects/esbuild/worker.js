import "edge-ner/worker";
