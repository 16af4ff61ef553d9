package dev.sparkmla.grammar;

import com.fasterxml.jackson.core.JsonPointer;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Optional;

/**
 * Reads the references of JSON schemas: a {@code $ref} is a URI, in which a name may be encoded.
 */
public final class SchemaReference {
  private SchemaReference() {}

  /**
   * Where a reference leads within its document.
   *
   * @param reference the text of a {@code $ref}, such as {@code #/$defs/a%20name}
   * @return empty where it is no URI, leads to another document or to an anchor
   */
  public static Optional<JsonPointer> pointer(String reference) {
    try {
      String fragment = reference.startsWith("#") ? new URI(reference).getFragment() : null;
      return fragment != null && (fragment.isEmpty() || fragment.startsWith("/"))
          ? Optional.of(JsonPointer.compile(fragment))
          : Optional.empty();
    } catch (URISyntaxException e) {
      return Optional.empty();
    }
  }
}
