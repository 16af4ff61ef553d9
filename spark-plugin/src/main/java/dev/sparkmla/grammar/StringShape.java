package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Optional;
import java.util.Set;

/**
 * Strings.
 *
 * @param least the fewest characters (Unicode code points)
 * @param most the most characters; {@link Expression#UNBOUNDED} where the schema says none
 * @param texts what the strings are by their format or pattern; empty for any
 */
record StringShape(int least, int most, Optional<Texts> texts) implements Shape {
  static final Set<String> KEYWORDS = Set.of("format", "maxLength", "minLength", "pattern");

  /** The most characters of a string where a schema says none. */
  static final int MOST_CHARACTERS = 1_000;

  /** The same for one with a pattern, whose length takes states rather than a counter. */
  static final int MOST_PATTERN_CHARACTERS = 100;

  static final StringShape ANY = new StringShape(0, Expression.UNBOUNDED, Optional.empty());

  /**
   * The texts of a format or a pattern.
   *
   * @param place the schema that has it
   * @param keyword {@code format} or {@code pattern}
   * @param expression the texts
   * @param most the most characters where the schema says none
   */
  record Texts(SchemaPlace place, String keyword, Expression expression, int most) {
    private InvalidResponseFormatException beside(String other) {
      return place.problem(keyword, "is not supported beside " + other);
    }
  }

  /** The strings that are valid for a schema. */
  static StringShape read(SchemaPlace place, Budget budget) {
    return new StringShape(
        place.count("minLength", 0),
        place.count("maxLength", Expression.UNBOUNDED),
        texts(place, budget));
  }

  private static Optional<Texts> texts(SchemaPlace place, Budget budget) {
    Optional<Texts> pattern = Optional.empty();
    if (place.has("pattern")) {
      String text = place.schema().get("pattern").textValue();
      if (text == null) {
        throw place.wrong("pattern", "a regular expression as text");
      }
      Expression expression = pattern(place, text, budget);
      pattern = Optional.of(new Texts(place, "pattern", expression, MOST_PATTERN_CHARACTERS));
    }
    if (place.has("format")) {
      Expression expression = StringFormat.of(place).expression(budget);
      Texts format = new Texts(place, "format", expression, Expression.UNBOUNDED);
      return Optional.of(both(format, pattern));
    }
    return pattern;
  }

  private static Expression pattern(SchemaPlace place, String pattern, Budget budget) {
    try {
      return PatternReader.search(pattern, budget);
    } catch (InvalidResponseFormatException e) {
      throw place.problem("pattern", "cannot be used: " + e.getMessage());
    }
  }

  private static Texts both(Texts texts, Optional<Texts> others) {
    if (others.isPresent() && !others.get().expression.equals(texts.expression)) {
      throw texts.beside("another " + others.get().keyword);
    }
    return texts;
  }

  @Override
  public JsonType type() {
    return JsonType.STRING;
  }

  @Override
  public Optional<Shape> and(Shape other) {
    StringShape strings = (StringShape) other;
    Optional<Texts> both =
        texts.isPresent() ? Optional.of(both(texts.get(), strings.texts)) : strings.texts;
    StringShape shape =
        new StringShape(Math.max(least, strings.least), Math.min(most, strings.most), both);
    return shape.least > shape.most ? Optional.empty() : Optional.of(shape);
  }

  @Override
  public boolean admits(JsonNode value, SchemaReader reader) {
    String text = value.textValue();
    int length = text.codePointCount(0, text.length());
    if (texts.isPresent()) {
      throw texts.get().beside("const or enum; leave out the values that it excludes");
    }
    return length >= least && length <= most;
  }

  @Override
  public boolean excludes(Shape other, Exclusion exclusion) {
    StringShape strings = (StringShape) other;
    return least > strings.most || strings.least > most;
  }

  @Override
  public Expression expression(ValueWriter writer) {
    int usual = texts.map(Texts::most).orElse(MOST_CHARACTERS);
    int bound = most == Expression.UNBOUNDED ? Math.max(least, usual) : most;
    if (least > bound) {
      return Expression.NONE;
    }
    return texts.isPresent()
        ? new Expression.JsonText(texts.get().expression, least, bound)
        : new Expression.JsonString(least, bound);
  }
}
