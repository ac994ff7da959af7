// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/budget_report.h"

#include <QFrame>

#include <array>
#include <map>
#include <memory>

class QBoxLayout;
class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QSlider;
class QTimer;
class QToolButton;

namespace tamis::views {

class ElidedLabel;

/// What the plan saves and loses, before -> after, and the four settings of the budget. Nothing moves when digits change.
class CostHeader : public QFrame {
    Q_OBJECT
public:
    explicit CostHeader(QWidget* parent = nullptr);

    void setBudget(std::shared_ptr<const report::BudgetReport> budget); ///< null: dashes
    /// Shows the settings asked for, without a signal. Names as plan::allocationName and plan::accountingName give them.
    void setSettings(double keep, const QString& allocation, const QString& accounting, int alignment);
    /// What the plan has of the token lab, in words; empty: nothing, and no line for it.
    void setTokens(const QString& method, const QString& help);
    /// What the plan has of another lab, in words; empty: nothing, and no line for it. `part` names it ("cache"), `title` stands before it.
    void setPart(const QString& part, const QString& title, const QString& text, const QString& help);
    /// Badge after 150 ms: the figures belong to older settings.
    void setStale(bool stale);
    double keep() const;

signals:
    void keepEdited(double keep, bool finished); ///< `finished` false while the slider is held
    void allocationEdited(const QString& allocation);
    void accountingEdited(const QString& accounting);
    void alignmentEdited(int alignment);
    void tokensRemoved();
    void partRemoved(const QString& part);

private:
    struct Figure {
        QLabel *before, *after, *change;
    };
    Figure addFigure(QBoxLayout* row, const QString& title, const QString& name, const QString& widest, const QString& help);
    QWidget* buildFigures();
    QWidget* buildSettings();
    QWidget* buildAccountings();
    QWidget* buildTokens();
    /// A line of `name`: a title, words and Remove.
    QWidget* partLine(const QString& name, const QString& title, const QString& help, ElidedLabel** text, QToolButton** remove);
    void buildKeep(QBoxLayout* row);
    void showFigures();
    void restyle();

    std::shared_ptr<const report::BudgetReport> m_budget;
    Figure m_parameters{}, m_bytes{}, m_macs{}, m_latency{}, m_loss{};
    QSlider* m_slider = nullptr;
    QDoubleSpinBox* m_spin = nullptr;
    QComboBox *m_allocation = nullptr, *m_accounting = nullptr, *m_alignment = nullptr;
    QWidget* m_tokensLine = nullptr;
    QLabel* m_tokens = nullptr;
    struct Part {
        QWidget* line = nullptr;
        ElidedLabel* text = nullptr;
    };
    std::map<QString, Part> m_parts;
    QBoxLayout* m_column = nullptr;
    QLabel *m_stale = nullptr, *m_achieved = nullptr, *m_warning = nullptr;
    std::array<QLabel*, 3> m_sameKeep{};
    QTimer* m_staleTimer = nullptr;
};

} // namespace tamis::views
