package dev.sparkmla.grammar;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.lucene.util.BytesRef;
import org.apache.lucene.util.automaton.Automata;
import org.apache.lucene.util.automaton.Automaton;
import org.apache.lucene.util.automaton.UTF32ToUTF8;

/**
 * Lays expressions out as states of a network. A part that is laid between two states adds nothing
 * that enters the first or leaves the second of them. For one thread.
 */
final class Layout {
  /** How deep expressions may nest, so that the stack is not exhausted. */
  static final int MOST_DEPTH = 500;

  /**
   * The characters of one, two, three and four bytes. Of a range that has some of several lengths,
   * {@link UTF32ToUTF8} would also make longer encodings than UTF-8 allows.
   */
  private static final List<CharacterSet> UTF_8_LENGTHS =
      List.of(
          CharacterSet.of(0, 0x7F),
          CharacterSet.of(0x80, 0x7FF),
          CharacterSet.of(0x800, 0xFFFF),
          CharacterSet.of(0x10000, Character.MAX_CODE_POINT));

  private final Network network;
  private final Spelling spelling;
  private final WhiteSpace whiteSpace;
  private final CountedStrings strings;
  private final Budget budget;
  private final Map<CharacterSet, Automaton> sets = new HashMap<>();
  private final Map<Expression.JsonText, Automaton> texts = new HashMap<>();
  private int depth;

  private Layout(
      Network network,
      Spelling spelling,
      WhiteSpace whiteSpace,
      CountedStrings strings,
      Budget budget) {
    this.network = network;
    this.spelling = spelling;
    this.whiteSpace = whiteSpace;
    this.strings = strings;
    this.budget = budget;
  }

  /**
   * The smallest automaton of an answer's texts, over bytes and the labels of counted strings.
   *
   * @param strings where counted strings get their labels
   */
  static Automaton ofAnswer(
      Expression answer, WhiteSpace whiteSpace, CountedStrings strings, Budget budget) {
    return minimal(answer, Spelling.PLAIN, whiteSpace, strings, budget);
  }

  /**
   * The smallest automaton of what stands between the quotes of JSON strings, over bytes and
   * counted bytes.
   *
   * @param text without JSON's parts
   */
  static Automaton ofText(Expression text, Budget budget) {
    return minimal(text, Spelling.JSON, WhiteSpace.COMPACT, new CountedStrings(budget), budget);
  }

  private static Automaton minimal(
      Expression expression,
      Spelling spelling,
      WhiteSpace whiteSpace,
      CountedStrings strings,
      Budget budget) {
    Network network = new Network(budget);
    new Layout(network, spelling, whiteSpace, strings, budget)
        .lay(expression, Network.START, Network.END);
    return network.minimal();
  }

  private void lay(Expression expression, int from, int to) {
    if (depth == MOST_DEPTH) {
      throw new InvalidResponseFormatException(
          "the response format is nested too deeply: more than " + MOST_DEPTH + " parts in parts");
    }
    depth++;
    expression.layOut(this, from, to);
    depth--;
  }

  void literal(String text, int from, int to) {
    int state = from;
    for (int character : text.codePoints().toArray()) {
      int next = network.state();
      network.text(state, spelling.spelled(character), next, spelling.first());
      state = next;
    }
    network.skip(state, to);
  }

  void character(CharacterSet characters, int from, int to) {
    network.part(from, sets.computeIfAbsent(characters, this::automaton), to, spelling.first());
  }

  /** One character of a set, over bytes. */
  private Automaton automaton(CharacterSet characters) {
    Automaton plain = new Automaton();
    plain.createState();
    CharacterSet unescaped = characters.and(spelling.unescaped());
    for (CharacterSet length : UTF_8_LENGTHS) {
      int end = plain.createState();
      plain.setAccept(end, true);
      for (CharacterSet.Range range : unescaped.and(length).ranges()) {
        budget.spend(1);
        plain.addTransition(0, end, range.least(), range.largest());
      }
    }
    plain.finishState();
    Network network = new Network(budget);
    network.part(Network.START, new UTF32ToUTF8().convert(plain), Network.END);
    for (CharacterSet.Range range : characters.and(spelling.unescaped().complement()).ranges()) {
      for (int character = range.least(); character <= range.largest(); character++) {
        network.text(Network.START, spelling.spelled(character), Network.END, 0);
      }
    }
    return network.minimal();
  }

  void sequence(List<Expression> parts, int from, int to) {
    int state = from;
    for (Expression part : parts) {
      int next = network.state();
      lay(part, state, next);
      state = next;
    }
    network.skip(state, to);
  }

  void choice(List<Expression> alternatives, int from, int to) {
    TreeSet<BytesRef> literals = new TreeSet<>();
    List<Expression> others = new ArrayList<>();
    for (Expression alternative : alternatives) {
      if (spelling == Spelling.PLAIN
          && alternative instanceof Expression.Literal literal
          && literal.text().length() * 3L <= Automata.MAX_STRING_UNION_TERM_LENGTH) {
        literals.add(new BytesRef(literal.text()));
      } else {
        others.add(alternative);
      }
    }
    network.part(from, union(literals), to);
    others.forEach(alternative -> lay(alternative, from, to));
  }

  /** Many texts take less work as the smallest automaton at once. */
  private Automaton union(TreeSet<BytesRef> texts) {
    texts.forEach(text -> budget.spend((long) Network.COST * text.length));
    return Automata.makeBinaryStringUnion(texts);
  }

  void repetition(Expression.Repetition repetition, int from, int to) {
    if (repetition.least() == 0) {
      network.skip(from, to);
    }
    if (repetition.most() == 0) {
      return;
    }
    int before = network.state();
    network.skip(from, before);
    boolean unbounded = repetition.most() == Expression.UNBOUNDED;
    int copies = unbounded ? Math.max(repetition.least(), 1) : repetition.most();
    for (int copy = 1; copy <= copies; copy++) {
      int after = network.state();
      lay(repetition.part(), before, after);
      if (copy >= repetition.least()) {
        network.skip(after, to);
      }
      if (copy == copies && unbounded) {
        lay(repetition.separator(), after, before);
      } else if (copy < copies) {
        before = network.state();
        lay(repetition.separator(), after, before);
      }
    }
  }

  /** Each part stands once: the states tell whether one was there before it. */
  void selection(Expression.Selection selection, int from, int to) {
    int none = from;
    int some = network.state();
    for (Expression.Part part : selection.parts()) {
      int before = network.state();
      network.skip(none, before);
      lay(selection.separator(), some, before);
      int after = network.state();
      lay(part.expression(), before, after);
      int stillNone = network.state();
      if (!part.isRequired()) {
        network.skip(none, stillNone);
        network.skip(some, after);
      }
      none = stillNone;
      some = after;
    }
    network.skip(some, to);
  }

  void space(int from, int to) {
    switch (whiteSpace) {
      case COMPACT -> network.skip(from, to);
      case FREE -> {
        int blanks = network.state();
        network.skip(from, blanks);
        network.label(from, '\n', blanks);
        for (int i = 0; i < WhiteSpace.MOST_BLANKS; i++) {
          network.skip(blanks, to);
          int next = network.state();
          network.label(blanks, ' ', next);
          network.label(blanks, '\t', next);
          blanks = next;
        }
        network.skip(blanks, to);
      }
    }
  }

  void jsonString(int least, int most, int from, int to) {
    network.label(from, strings.label(least, most), to);
  }

  void jsonText(Expression.JsonText string, int from, int to) {
    Automaton text = texts.computeIfAbsent(string, this::automaton);
    int opened = network.state();
    network.label(from, '"', opened);
    int ended = network.state();
    network.part(opened, text, ended);
    network.label(ended, '"', to);
  }

  private Automaton automaton(Expression.JsonText string) {
    return CountedText.bounded(
        ofText(string.text(), budget), string.least(), string.most(), budget);
  }
}
