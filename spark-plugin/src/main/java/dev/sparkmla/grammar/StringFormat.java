package dev.sparkmla.grammar;

import java.util.Arrays;
import java.util.stream.Collectors;

/** The formats of strings that a schema may ask for. */
enum StringFormat {
  /**
   * Days of the years 1 to 9999 (RFC 3339, full-date), with the lengths of months and leap years.
   */
  DATE("date", Patterns.DATE),
  /** Times of day with an offset (RFC 3339, full-time). */
  TIME("time", Patterns.TIME),
  /** A day, {@code T} and a time (RFC 3339). */
  DATE_TIME("date-time", "(?:" + Patterns.DATE + ")T" + Patterns.TIME),
  /** A day, {@code T} and a time without an offset (OpenAPI's registry of formats). */
  DATE_TIME_LOCAL("date-time-local", "(?:" + Patterns.DATE + ")T" + Patterns.CLOCK),
  /** RFC 4122, in upper or lower case. */
  UUID("uuid", "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
  /**
   * Addresses of the usual kind (RFC 5321, dot-string and domain): at most 64 characters before the
   * {@code @}, and at least two labels of at most 39 characters after it.
   */
  EMAIL("email", Patterns.ATOM + "(?:\\." + Patterns.ATOM + ")?@" + Patterns.DOMAIN);

  /** Parts of the formats. */
  private static final class Patterns {
    /** Numbers of two digits that 4 divides, without 00. */
    private static final String FOURTH = "(?:0[48]|[2468][048]|[13579][26])";

    private static final String LEAP_YEAR = "(?:[0-9]{2}" + FOURTH + "|" + FOURTH + "00)";
    private static final String YEAR = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])";
    private static final String DATE =
        YEAR
            + "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
            + "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
            + "|02-(?:0[1-9]|1[0-9]|2[0-8]))|"
            + LEAP_YEAR
            + "-02-29";

    /** Seconds have at most nine digits after the point. */
    private static final String CLOCK =
        "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?";

    /** Offsets are Z, +00:00, or 1 hour to 18 hours. */
    private static final String TIME = CLOCK + "(?:Z|\\+00:00|[+-](?:0[1-9]|1[0-7]):[0-5][0-9])";

    private static final String ATOM = "[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]{1,31}";
    private static final String LABEL = "[0-9A-Za-z](?:-?[0-9A-Za-z]){0,19}";
    private static final String DOMAIN = "(?:" + LABEL + "\\.){1,3}[A-Za-z]{2,19}";
  }

  private final String name;
  private final String pattern;

  StringFormat(String name, String pattern) {
    this.name = name;
    this.pattern = pattern;
  }

  /**
   * The format that a schema asks for.
   *
   * @throws InvalidResponseFormatException when it is none of these
   */
  static StringFormat of(SchemaPlace place) {
    String asked = place.schema().get("format").textValue();
    return Arrays.stream(values())
        .filter(format -> format.name.equals(asked))
        .findAny()
        .orElseThrow(
            () ->
                place.wrong(
                    "format",
                    Arrays.stream(values())
                        .map(format -> format.name)
                        .collect(Collectors.joining(", "))));
  }

  /** Its texts, without quotes. */
  Expression expression(Budget budget) {
    return PatternReader.whole(pattern, budget);
  }
}
