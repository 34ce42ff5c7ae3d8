import { Ner } from "edge-ner";

export const runtime = "edge";

let loading;

export async function POST(request) {
  loading ??= Ner.load(new URL("/meder-int8.safetensors", request.url));
  const ner = await loading;
  return Response.json([await ner.extract(await request.text())]);
}
