// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/attention/attention_words.h"
#include "views/attention/heads_page.h"
#include "views/common/method_form.h"

#include <optional>
#include <vector>

class QGridLayout;
class QListWidget;
class QToolButton;

namespace tamis::views {

class ElidedLabel;
class PhotoModel;
class SamplePicker;

/// What a change of the form goes to.
enum class AttentionScope { General, Block, Head };

/// The method with its parameters as live sliders, for all blocks, the block or the head that is seen closely; which blocks it replaces; what
/// was chosen for heads and blocks alone; the samples.
class AttentionSettings : public MethodForm {
    Q_OBJECT
public:
    explicit AttentionSettings(PhotoModel& photos, QWidget* parent = nullptr); ///< `photos` outlives it

    void setPlace(int layer, std::int64_t head); ///< that is seen closely
    void setScope(AttentionScope scope);         ///< without a signal
    AttentionScope scope() const;
    void setBlocks(int count, const std::optional<std::vector<int>>& chosen); ///< of the model, and those that the method replaces; nothing: all
    void setChoices(const std::vector<OwnChoice>& own);
    void setWeights(bool offered, bool trained); ///< whether there are trained ones, and whether they are looked at; without a signal
    void setFitted(const QString& path); ///< samples that fitted methods are fitted to; empty: the first of those that are open
    SamplePicker* samples() const { return m_samples; }

signals:
    void scopeChosen(tamis::views::AttentionScope scope);
    void blocksEdited(const std::vector<int>& blocks); ///< ascending
    void placeChosen(int layer, int head);             ///< of a choice in the list; a block's: head 0
    void forgetRequested(tamis::views::HeadPlace place);
    void forgetAllRequested();
    void fittedRequested(); ///< other samples to fit to are asked for
    void fittedForgotten();
    void weightsChosen(bool trained);

private:
    void buildBlocks();
    void buildChoices();
    void buildFitted();
    void buildWeights();
    void tellBlocks();

    int m_blockCount = -1;
    std::vector<OwnChoice> m_own;
    QComboBox *m_scope = nullptr, *m_weights = nullptr;
    QWidget* m_weightsRow = nullptr;
    QWidget* m_blocksBox = nullptr;
    QGridLayout* m_blocksGrid = nullptr;
    std::vector<QToolButton*> m_blocks;
    QPushButton *m_all = nullptr, *m_forget = nullptr, *m_forgetAll = nullptr;
    QLabel* m_choicesTitle = nullptr;
    QListWidget* m_choices = nullptr;
    ElidedLabel* m_fitted = nullptr;
    QPushButton* m_fittedFirst = nullptr;
    SamplePicker* m_samples = nullptr;
};

} // namespace tamis::views
