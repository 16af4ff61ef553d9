package dev.sparkmla.grammar;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Matches expressions by trying, without automata: an independent opinion for tests. */
final class ReferenceMatcher {
  private static final Pattern STRING = Pattern.compile("\"(?:[^\"\\\\]|\\\\.)*\"");
  private static final Pattern BLANKS = Pattern.compile("\n?[ \t]{0,20}");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final String text;
  private final WhiteSpace whiteSpace;

  private ReferenceMatcher(String text, WhiteSpace whiteSpace) {
    this.text = text;
    this.whiteSpace = whiteSpace;
  }

  static boolean matches(Expression expression, String text, WhiteSpace whiteSpace) {
    return new ReferenceMatcher(text, whiteSpace).ends(expression, 0).contains(text.length());
  }

  /** Where texts of an expression end that begin at an index. */
  private Set<Integer> ends(Expression expression, int start) {
    Set<Integer> ends = new TreeSet<>();
    if (expression instanceof Expression.Literal literal) {
      if (text.startsWith(literal.text(), start)) {
        ends.add(start + literal.text().length());
      }
    } else if (expression instanceof Expression.Character character) {
      if (start < text.length() && character.characters().contains(text.codePointAt(start))) {
        ends.add(start + Character.charCount(text.codePointAt(start)));
      }
    } else if (expression instanceof Expression.Sequence sequence) {
      ends.add(start);
      for (Expression part : sequence.parts()) {
        ends = ends(part, ends);
      }
    } else if (expression instanceof Expression.Choice choice) {
      for (Expression alternative : choice.alternatives()) {
        ends.addAll(ends(alternative, start));
      }
    } else if (expression instanceof Expression.Repetition repetition) {
      return repeated(repetition, start);
    } else if (expression instanceof Expression.Selection selection) {
      return selected(selection, start);
    } else if (expression instanceof Expression.JsonString string) {
      return string(start, null, string.least(), string.most());
    } else if (expression instanceof Expression.JsonText string) {
      return string(start, string.text(), string.least(), string.most());
    } else {
      return space(start);
    }
    return ends;
  }

  private Set<Integer> ends(Expression expression, Set<Integer> starts) {
    Set<Integer> ends = new TreeSet<>();
    starts.forEach(start -> ends.addAll(ends(expression, start)));
    return ends;
  }

  private Set<Integer> repeated(Expression.Repetition repetition, int start) {
    Set<Integer> ends = new TreeSet<>();
    Set<Integer> reached = new TreeSet<>(Set.of(start));
    // A text can hold no more parts that are not empty than it has characters.
    int most = Math.min(repetition.most(), repetition.least() + text.length() + 1);
    for (int count = 0; count <= most; count++) {
      if (count >= repetition.least()) {
        ends.addAll(reached);
      }
      if (count > 0) {
        reached = ends(repetition.separator(), reached);
      }
      reached = ends(repetition.part(), reached);
    }
    return ends;
  }

  private Set<Integer> selected(Expression.Selection selection, int start) {
    Set<Integer> none = new TreeSet<>(Set.of(start));
    Set<Integer> some = new TreeSet<>();
    for (Expression.Part part : selection.parts()) {
      Set<Integer> before = ends(selection.separator(), some);
      before.addAll(none);
      Set<Integer> after = ends(part.expression(), before);
      if (part.isRequired()) {
        none = new TreeSet<>();
      } else {
        after.addAll(some);
      }
      some = after;
    }
    return some;
  }

  private Set<Integer> space(int start) {
    if (whiteSpace == WhiteSpace.COMPACT) {
      return Set.of(start);
    }
    Set<Integer> ends = new TreeSet<>();
    Matcher blanks = BLANKS.matcher(text);
    for (int end = start; end <= text.length(); end++) {
      if (blanks.region(start, end).matches()) {
        ends.add(end);
      }
    }
    return ends;
  }

  private Set<Integer> string(int start, Expression content, int least, int most) {
    Matcher string = STRING.matcher(text).region(start, text.length());
    if (!string.lookingAt()) {
      return Set.of();
    }
    String value;
    try {
      value = JSON.readValue(string.group(), String.class);
    } catch (JsonProcessingException e) {
      return Set.of();
    }
    int length = value.codePointCount(0, value.length());
    boolean fits =
        TextNode.valueOf(value).toString().equals(string.group())
            && length >= least
            && length <= most
            && (content == null || matches(content, value, whiteSpace));
    return fits ? Set.of(string.end()) : Set.of();
  }
}
