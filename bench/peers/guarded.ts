/** What fails is told in the results, and does not end the benchmark. */
export async function guarded<Found>(what: string, { failures }: { readonly failures: string[] }, measure: () => Promise<Found>): Promise<Found | null> {
  try {
    return await measure();
  } catch (error) {
    failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}
