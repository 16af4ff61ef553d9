package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Random expressions, and random texts of them. */
final class RandomExpressions {
  private static final String[] CHARACTERS = {
    "a", "b", "{", "\"", "\\", "\n", "\u0001", "é", "😀", " ", ","
  };

  private final Random random;

  RandomExpressions(Random random) {
    this.random = random;
  }

  /** An answer, which may have strings. */
  Expression answer(int depth) {
    return switch (random.nextInt(depth == 0 ? 4 : 9)) {
      case 0 -> literal();
      case 1 -> string();
      case 2 -> new Expression.JsonText(text(2), random.nextInt(3), 2 + random.nextInt(4));
      case 3 -> new Expression.Space();
      case 4 -> new Expression.Choice(parts(depth));
      case 5 ->
          new Expression.Repetition(
              answer(depth - 1),
              random.nextBoolean() ? Expression.EMPTY : literal(),
              random.nextInt(3),
              random.nextInt(3) == 0 ? Expression.UNBOUNDED : 2 + random.nextInt(2));
      case 6 -> {
        List<Expression.Part> parts = new ArrayList<>();
        parts(depth).forEach(part -> parts.add(new Expression.Part(part, random.nextBoolean())));
        yield new Expression.Selection(parts, random.nextBoolean() ? literal() : Expression.EMPTY);
      }
      default -> new Expression.Sequence(parts(depth));
    };
  }

  private List<Expression> parts(int depth) {
    List<Expression> parts = new ArrayList<>();
    int size = 1 + random.nextInt(3);
    for (int i = 0; i < size; i++) {
      parts.add(answer(depth - 1));
    }
    return parts;
  }

  private Expression string() {
    int least = random.nextInt(3);
    return new Expression.JsonString(least, least + random.nextInt(3));
  }

  private Expression literal() {
    return new Expression.Literal(characters(random.nextInt(3)));
  }

  private String characters(int length) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < length; i++) {
      text.append(CHARACTERS[random.nextInt(CHARACTERS.length)]);
    }
    return text.toString();
  }

  /** The content of a string. */
  private Expression text(int depth) {
    return switch (random.nextInt(depth == 0 ? 2 : 4)) {
      case 0 -> literal();
      case 1 -> new Expression.Character(CharacterSet.of(characters(1 + random.nextInt(4))));
      case 2 ->
          new Expression.Repetition(
              text(depth - 1), Expression.EMPTY, random.nextInt(2), Expression.UNBOUNDED);
      default -> new Expression.Choice(List.of(text(depth - 1), text(depth - 1)));
    };
  }

  /**
   * A text of an expression, if the sampler's luck finds one; then it need not be within bounds.
   */
  String sample(Expression expression) {
    if (expression instanceof Expression.Literal literal) {
      return literal.text();
    } else if (expression instanceof Expression.Character character) {
      List<CharacterSet.Range> ranges = character.characters().ranges();
      CharacterSet.Range range = ranges.get(random.nextInt(ranges.size()));
      return Character.toString(
          range.least() + random.nextInt(range.largest() - range.least() + 1));
    } else if (expression instanceof Expression.Sequence sequence) {
      StringBuilder text = new StringBuilder();
      sequence.parts().forEach(part -> text.append(sample(part)));
      return text.toString();
    } else if (expression instanceof Expression.Choice choice) {
      return sample(choice.alternatives().get(random.nextInt(choice.alternatives().size())));
    } else if (expression instanceof Expression.Repetition repetition) {
      StringBuilder text = new StringBuilder();
      int most = Math.min(repetition.most(), repetition.least() + 2);
      int times = repetition.least() + random.nextInt(most - repetition.least() + 1);
      for (int i = 0; i < times; i++) {
        text.append(i == 0 ? "" : sample(repetition.separator())).append(sample(repetition.part()));
      }
      return text.toString();
    } else if (expression instanceof Expression.Selection selection) {
      StringBuilder text = new StringBuilder();
      for (Expression.Part part : selection.parts()) {
        if (part.isRequired() || random.nextBoolean()) {
          text.append(text.isEmpty() ? "" : sample(selection.separator()));
          text.append(sample(part.expression()));
        }
      }
      return text.toString();
    } else if (expression instanceof Expression.JsonString string) {
      int length = string.least() + random.nextInt(string.most() - string.least() + 1);
      return TextNode.valueOf(characters(length)).toString();
    } else if (expression instanceof Expression.JsonText text) {
      return TextNode.valueOf(sample(text.text())).toString();
    }
    return random.nextInt(3) == 0 ? "\n  " : ""; // white space
  }

  /** A text that differs a little. */
  String mutation(String text) {
    int[] characters = text.codePoints().toArray();
    int at = random.nextInt(characters.length + 1);
    String before = new String(characters, 0, at);
    String after = new String(characters, at, characters.length - at);
    int skip = after.isEmpty() ? 0 : Character.charCount(after.codePointAt(0));
    return switch (random.nextInt(3)) {
      case 0 -> before + CHARACTERS[random.nextInt(CHARACTERS.length)] + after;
      case 1 -> before + after.substring(skip);
      default -> before + CHARACTERS[random.nextInt(CHARACTERS.length)] + after.substring(skip);
    };
  }
}
