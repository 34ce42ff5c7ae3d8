export const metadata = { title: "Medical entities in Bangla text" };

/** What Next wants around every page. */
export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
