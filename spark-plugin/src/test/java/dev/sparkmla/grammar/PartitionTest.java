package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PartitionTest {
  @Test
  void splitsSetsByWhatIsMarked() {
    for (long seed = 0; seed < 200; seed++) {
      Random random = new Random(seed);
      int size = 1 + random.nextInt(30);
      Partition partition = new Partition(size);
      BitSet runs = new BitSet();
      runs.set(size / 2);
      partition.cut(runs);
      String[] names = new String[size];
      for (int element = 0; element < size; element++) {
        names[element] = element < size / 2 ? "0" : "1";
      }
      for (int round = 0; round < 5; round++) {
        for (int element = 0; element < size; element++) {
          boolean marked = random.nextInt(3) == 0;
          names[element] += marked;
          if (marked) {
            partition.mark(element);
          }
        }
        partition.split();
        assertSets(partition, names, "seed " + seed);
      }
    }
  }

  /** Elements of equal names, which tell what they were split by, share a set. */
  private static void assertSets(Partition partition, String[] names, String what) {
    Map<String, TreeSet<Integer>> expected = new HashMap<>();
    for (int element = 0; element < names.length; element++) {
      expected.computeIfAbsent(names[element], name -> new TreeSet<>()).add(element);
    }
    List<TreeSet<Integer>> sets =
        IntStream.range(0, partition.size()).mapToObj(set -> elements(partition, set)).toList();
    assertThat(sets).as(what).containsExactlyInAnyOrderElementsOf(expected.values());
  }

  private static TreeSet<Integer> elements(Partition partition, int set) {
    TreeSet<Integer> elements = new TreeSet<>();
    for (int place = partition.begin(set); place < partition.end(set); place++) {
      assertThat(partition.setOf(partition.element(place))).isEqualTo(set);
      elements.add(partition.element(place));
    }
    return elements;
  }
}
