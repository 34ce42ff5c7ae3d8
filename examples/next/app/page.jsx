"use client";
import { useState } from "react";

/** A text and what the route finds in it. */
export default function Page() {
  const [{ error, entities }, tell] = useState({ entities: [] });

  async function recognise(event) {
    event.preventDefault();
    const body = new FormData(event.target).get("text");
    const response = await fetch("/entities", { method: "POST", body });
    const answer = await response.json();
    tell(response.ok ? { entities: answer } : { error: answer.error, entities: [] });
  }

  return (
    <main>
      <h1>Medical entities</h1>
      <form onSubmit={recognise}>
        <textarea
          name="text"
          aria-label="Bangla text"
          lang="bn"
          rows="4"
          cols="60"
          defaultValue="জ্বরে প্যারাসিটামল খাওয়া যায়।"
        />
        <p>
          <button type="submit">Recognise</button>
        </p>
      </form>
      <output>
        {error}
        <ul>
          {entities.map(({ type, text, start }) => (
            <li key={start}>
              {type} <span lang="bn">{text}</span>
            </li>
          ))}
        </ul>
      </output>
    </main>
  );
}
